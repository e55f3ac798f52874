// Harts: what belongs to one, and how they come to run. While the kernel runs, `tp` holds the address of
// the hart's record: trap.S brings it there, and no code changes it.
#pragma once

#define HART_LIMIT 8

// Offsets in struct hart, for assembly.
#define HART_STACK 0
#define HART_SHARED 8

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

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

// What the hart has seen of the kernel's lock; see kernel_lock.c.
struct lock_statistics {
    uint64_t taken;      // so often it took the lock,
    uint64_t contended;  // so often somebody had it then,
    uint64_t spins;      // so often it looked again,
    uint64_t waits;      // and so often it told a hypervisor that it has nothing to do but that
    uint64_t kicks;      // so often it ended such a wait of another hart
};

struct hart {
    uint8_t *stack_top;                       // of the idle loop, and of reports of bugs
    volatile struct hypervisor_page *shared;  // see hypervisor.h
    struct process *current;                  // NULL: the idle loop
    struct process *ended;                    // must be buried by whoever runs next
    struct process *float_owner;              // whose values the floating-point registers hold
    const struct address_space *in_use;       // what satp holds; NULL: no process's
    uint64_t id;                              // how firmware and device tree call it
    uint8_t bit;                              // what stands for it in sets of harts
    bool code_outdated;                       // it may fetch instructions that are no more
    struct context idle;
    struct hart_timer timer;
    struct lock_statistics lock;
    uint64_t idle_ticks, idle_since;          // counted on request only; since: 0 when it does not sleep
    uint64_t interrupted;                     // so often another hart, or itself, interrupted it
};

// The first is the one that booted.
extern struct hart harts[HART_LIMIT];
extern int hart_count;

// Is there more than one? Once it is set, it stays.
extern bool several_harts;

register struct hart *this_hart __asm__("tp");

// The process that this hart runs.
static inline struct process *current(void) {
    return this_hart->current;
}

// Starts the other harts of the machine, as many as the settings want. They run processes from now
// on, and the kernel's lock is needed: the caller has it afterwards.
void harts_start(void);

// Sleeps until an interrupt is pending, and serves it, without the kernel's lock in between.
void hart_sleep(void);

// Wakes a sleeping hart, if there is one.
void hart_wake_one(void);

// Has the other harts look after their timers.
void harts_interrupt_others(void);

// Interrupts another hart and waits until it has served that; false if there is none. The kernel's lock
// is somebody else's in between.
bool hart_interrupt_and_wait(void);

// An interrupt of this kind arrived.
void hart_interrupted(void);

// Ends the work of all other harts at their next entry to the kernel; of this one, if another has
// called this before.
void harts_stop_others(void);

// Has another hart stopped this one? Then it does not return.
void hart_stop_if_told(void);
#endif
