// Shadow page tables: what the machine really translates by while the guest runs.
//
// A *space* is a page table for one value of the guest's satp and one view: its mode, and the bits of its
// sstatus that change what a page may be used for. It is a cache of the guest's tables, as a TLB would be:
// filled at page faults, emptied at the guest's SFENCE.VMA. Each has an address-space identifier (ASID) of
// the machine's own; the monitor's is 0.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// The satp to run the guest with in its present state.
uint64_t shadow_satp(void);

// Maps a page of the monitor's addresses for the guest, in its present state. `large`: in the guest's
// tables it is part of a large page.
void shadow_fill(uint64_t address, uint64_t page, uint64_t rights, bool large);

// Forgets everything; what was read from the guest's tables with an ASID; or that about one address.
#define EVERY_ASID UINT64_MAX
void shadow_forget_all(void);
void shadow_forget_space(uint64_t asid);
void shadow_forget_page(uint64_t address, uint64_t asid);
