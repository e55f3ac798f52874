// Page faults of processes: bringing pages into being when they are first used.
#pragma once

#include "address_space.h"

enum fault_result {
    FAULT_SERVED,     // the access may be tried again
    FAULT_FORBIDDEN,  // nothing may be there, or not that way
    FAULT_NO_MEMORY,
};

// Makes `access` at `address` possible. May wait for swapped pages.
enum fault_result fault_serve(struct address_space *space, uint64_t address, enum access access);

// How many were served so far: those that waited for the disk, and the others.
uint64_t faults_major(void);
uint64_t faults_minor(void);
