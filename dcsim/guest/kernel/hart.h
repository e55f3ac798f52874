// What belongs to one hart. While the kernel runs, `tp` holds the address of the hart's record: trap.S
// brings it there, and no code changes it.
#pragma once

// Offsets in struct hart, for assembly.
#define HART_STACK 0
#define HART_SHARED 8

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "switch.h"

struct address_space;
struct hypervisor_page;
struct process;

// The timer of a hart; see timer.c.
struct hart_timer {
    uint64_t armed;          // when it will fire; at first, whatever firmware left
    uint64_t slice_end;      // in our own time; UINT64_MAX: nobody runs
    uint64_t earliest_wake;  // not later than that of any process that went to sleep here
    bool slice_over;
};

struct hart {
    uint8_t *stack_top;                       // of the idle loop, and of reports of bugs
    volatile struct hypervisor_page *shared;  // see hypervisor.h
    struct process *current;                  // NULL: the idle loop
    struct process *ended;                    // must be buried by whoever runs next
    struct process *float_owner;              // whose values the floating-point registers hold
    const struct address_space *in_use;       // what satp holds; NULL: no process's
    struct context idle;
    struct hart_timer timer;
};

extern struct hart boot_hart;

register struct hart *this_hart __asm__("tp");

// The process that this hart runs.
static inline struct process *current(void) {
    return this_hart->current;
}
#endif
