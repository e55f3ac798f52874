// The two pages of the monitor that the guest's address space has to hold: the code that switches worlds,
// and the registers that it switches.
//
// They belong to the supervisor, and the guest is in user mode, so it can do nothing with them, not even by
// mistake: an access traps. If it maps something of its own at their addresses, they move elsewhere.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_PAGES 2

// Makes the monitor's own page table and starts to use it; the guest is ready to be entered.
void window_start(void);

// Moves the window; the guest's spaces are forgotten.
void window_move(void);

// Is the address in the window?
bool window_covers(uint64_t address);

// Where the pages are, and their entries in any page table.
uint64_t window_address(unsigned page);
uint64_t window_entry(unsigned page);
