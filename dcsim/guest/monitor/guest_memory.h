// The guest's physical addresses, and where in the monitor's what they name lies.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

// Is the whole range memory of the guest?
bool guest_has_memory(uint64_t address, uint64_t bytes);

// The monitor's pointer to memory of the guest.
static inline void *guest_pointer(uint64_t address) {
    return (void *)(address + GUEST_OFFSET);
}

// The monitor's address of the guest's page at `address`, be it memory or a device that the guest may
// use itself; 0 when the guest has nothing there.
uint64_t guest_page(uint64_t address);
