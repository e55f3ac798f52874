// The guest's own translation of an address, as its machine would do it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum access { FETCH, LOAD, STORE };

// A page as the guest's tables have it, in the present mode of the guest.
struct guest_mapping {
    uint64_t page;    // the guest's physical address
    uint64_t rights;  // what the page may be used for without anybody's taking notice: ENTRY_RIGHTS
    bool large;       // it is part of a large page
};

// Translates; sets the marks of the entry as the access demands. Returns the cause of the guest's
// exception when there is one to take, otherwise 0.
uint64_t guest_walk(uint64_t address, enum access access, struct guest_mapping *mapping);
