// The hypervisor below, if there is one that this kernel knows: what it offers instead of registers,
// fences and devices. docs/reference/paravirtual-interface.md describes the interface.
//
// What changes is paging: the tables of processes are walked by the hardware as they are, with the
// machine's own addresses in them, so the kernel may only read them (entry_read in page_table.h) and
// has every change checked. The kernel's half of the address space is the hypervisor's.
//
// The kernel keeps supervisor mode, its traps and its timer where the hypervisor could take them back;
// on other machines it has to do with user mode (privilege.h, and the second half of trap.S). No
// process's memory is there then while the kernel runs, and nothing of the kernel's while a process does.
#pragma once

// What an SBI call names: the extension, and the functions that assembly needs.
#define HYPERVISOR_EXTENSION 0x0a444353
#define HYPERVISOR_FEATURES 0
#define HYPERVISOR_RETURN 6

// Bits of the features: this kernel runs in user mode; large pages may be mapped.
#define HYPERVISOR_USER_MODE 1
#define HYPERVISOR_LARGE_PAGES 2

// Offsets in struct hypervisor_page.
#define SHARED_COUNTER 32
#define SHARED_STATUS 40
#define SHARED_SCRATCH 48
#define SHARED_X16 56
#define SHARED_X17 64

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "hart.h"

// Found out by boot.S. Everything below requires the first.
extern bool hypervisor_present;
extern bool kernel_in_user_mode;

// Found out by hypervisor_start.
extern bool hypervisor_large_pages;

// The page that the hypervisor writes too.
struct hypervisor_page {
    uint64_t pending;       // events, a bit for each interrupt
    uint64_t stolen_ticks;  // only grows
    // For a kernel in user mode: what a trap tells,
    uint64_t cause, value;
    uint64_t counter, status;  // which HYPERVISOR_RETURN goes back to,
    uint64_t scratch;          // exchanged with x31 by a trap,
    uint64_t x16, x17;         // and registers of the process that the call for it needs itself
    uint8_t rest[4096 - 72];
};

// The one of this hart.
static inline volatile struct hypervisor_page *hypervisor_shared(void) {
    return this_hart->shared;
}

// Events of a kernel in user mode: the timer has fired; another hart has sent an interrupt.
#define HYPERVISOR_TIMER 1ul
#define HYPERVISOR_HART (1ul << 63)

// In the value of an entry that is set: D stays what it is by then.
#define HYPERVISOR_KEEP_DIRTY (1ul << 63)

// Begins: events arrive from now on, physical addresses are no longer valid as virtual ones, and code
// and constants can no longer be written, nor data executed. On the hart that boots, and on the others.
void hypervisor_start(void);
void hypervisor_join(void);

// Changes of page tables, carried out in this order at the latest by hypervisor_commit. An entry is
// named by its place in memory, and its value has our own idea of physical addresses.
void hypervisor_set_entry(const uint64_t *entry, uint64_t value);
void hypervisor_flush_page(uint64_t address, uint64_t asid);
void hypervisor_flush_space(uint64_t asid);
void hypervisor_commit(void);

// At once: makes a frame, which needs no content, the table below `entry`; makes one a root without
// entries; ends a root and all below it.
void hypervisor_link_table(const uint64_t *entry, uint64_t value);
void hypervisor_new_root(uint64_t frame);
void hypervisor_drop_root(uint64_t frame);

// Makes the hart translate by a root; 0: by none.
void hypervisor_use_root(uint64_t frame, uint64_t asid);

// An entry as it stands in a table, with our own idea of the physical address.
uint64_t hypervisor_own_entry(uint64_t entry);

// The interrupts raised since the last call, a bit for each.
uint64_t hypervisor_take_events(void);

// Has the interrupts of devices told to a hart from now on; those that have been told to another, which
// has not taken them yet.
void hypervisor_listen(const struct hart *hart);
uint64_t hypervisor_take_lines_of(const struct hart *hart);

// Sleeps until an interrupt is pending that sie enables.
void hypervisor_wait(void);

// Tells the virtio device with these registers to look at a queue.
void hypervisor_notify(uint64_t registers, uint32_t queue);

#endif
