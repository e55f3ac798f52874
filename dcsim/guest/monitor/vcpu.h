// The guest's supervisor mode, as the guest knows it: what a trap and a return do to it.
//
// Its general registers are in WORLD. Its floating-point registers, and the field FS of its sstatus, are
// the machine's own: the monitor has no use for them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// sstatus
#define STATUS_USER_MEMORY (1ul << 18)    // SUM: supervisor mode may use users' pages
#define STATUS_EXECUTE_READS (1ul << 19)  // MXR: what may be executed may be read

extern struct vcpu {
    uint64_t pc;
    bool supervisor;         // the mode it believes it is in; in truth it is always in user mode
    uint64_t status;         // sstatus but for what is the machine's own
    uint64_t enabled;        // sie
    uint64_t pending;        // sip
    uint64_t vector;         // stvec
    uint64_t counters;       // scounteren
    uint64_t environment;    // senvcfg
    uint64_t scratch;        // sscratch
    uint64_t exception_pc;   // sepc
    uint64_t cause;          // scause
    uint64_t value;          // stval
    uint64_t translation;    // satp
    uint64_t timer;          // stimecmp, or what it told its firmware
} vcpu;

// The guest takes a trap into its supervisor mode.
void vcpu_trap(uint64_t cause, uint64_t value);

// The guest returns from one.
void vcpu_return(void);

// The guest takes the interrupt that is pending and enabled, if there is one and its state lets it.
void vcpu_take_interrupt(void);

// The guest waits for an interrupt that is pending and enabled, whether it may be taken or not.
void vcpu_wait(void);

// The guest's timer: set, and expired.
void vcpu_set_timer(uint64_t deadline);
void vcpu_timer_expired(void);
