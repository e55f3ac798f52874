// The kernel's access to the memory of processes.
//
// It goes through the page table by software and the kernel's own view of RAM, so it obeys the same
// rules as the program's accesses, and kernel code never takes a page fault.
#pragma once

#include "address_space.h"

// A pointer to the byte at `address`, good to the end of its page and until the kernel next
// reserves frames or waits; NULL when the process may not access it that way.
void *user_pointer(struct address_space *space, uint64_t address, enum access access);

bool copy_from_user(struct address_space *space, void *to, uint64_t from, size_t size);
bool copy_to_user(struct address_space *space, uint64_t to, const void *from, size_t size);

// Copies a zero-ended text; false when it is not readable or does not fit.
bool copy_text_from_user(struct address_space *space, char *to, uint64_t from, size_t size);
