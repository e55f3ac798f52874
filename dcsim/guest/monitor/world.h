// The switch between the guest's world and the monitor's: registers and page table.
//
// The code and this structure are in two pages that both worlds map at the same address (window.h);
// world.S has the code, and knows the offsets.
#pragma once

#include <stdint.h>

#include "layout.h"

struct world {
    uint64_t x[32];         // the guest's registers; x[0] stays zero
    uint64_t guest_satp;    // the page table to run the guest with
    uint64_t monitor_satp;  // that of the monitor
    uint64_t stack;         // of the monitor
    uint64_t serve;         // what the monitor does about a trap: exit_serve
    uint64_t enter;         // the way back into the guest, in the window
};

extern union world_page {
    struct world world;
    uint8_t bytes[PAGE_BYTES];
} world_page;

#define WORLD (world_page.world)

// The page of code; the way out of the guest and the way in.
extern char window_code[], window_exit[], window_enter[];

// Leaves the monitor for the guest, for good: each trap starts anew in WORLD.serve.
_Noreturn void world_enter(void);
