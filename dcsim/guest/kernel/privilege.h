// What the kernel wants of supervisor mode, by name.
//
// The hart has it in registers, which the kernel uses as long as it is in supervisor mode: on bare
// metal, under hypervisors that do not show, and under one that lets it have that mode. One that runs
// the kernel in user mode, beside its processes, keeps for it what a trap would leave in registers,
// where it is memory to both; nothing interrupts the kernel there, and what the rest of the registers
// are for is settled (hypervisor.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor.h"
#include "riscv.h"

// What the trap that is being served is about, and where it came.
static inline uint64_t trap_cause(void) {
    return kernel_in_user_mode ? hypervisor_shared()->cause : CSR_READ(scause);
}
static inline uint64_t trap_value(void) {
    return kernel_in_user_mode ? hypervisor_shared()->value : CSR_READ(stval);
}
static inline uint64_t trap_counter(void) {
    return kernel_in_user_mode ? hypervisor_shared()->counter : CSR_READ(sepc);
}

// sstatus, as far as it tells of interrupts while the kernel runs.
static inline uint64_t kernel_status(void) {
    return kernel_in_user_mode ? 0 : CSR_READ(sstatus);
}

// From now on the hart listens to interrupts of these kinds too; to none.
static inline void interrupts_listen(uint64_t kinds) {
    if (!kernel_in_user_mode)
        CSR_SET(sie, kinds);
}
static inline void interrupts_listen_to_none(void) {
    if (!kernel_in_user_mode)
        CSR_WRITE(sie, 0);
}

// Sleeps until an interrupt is pending, whether or not it would trap.
static inline void interrupt_sleep(void) {
    if (hypervisor_present)
        hypervisor_wait();
    else
        wait_for_interrupt();
}

// The kernel is going to use floating-point registers on behalf of a process.
static inline void float_registers_open(void) {
    if (!kernel_in_user_mode)
        CSR_SET(sstatus, STATUS_FLOAT_DIRTY);
}

// Programs read no clocks.
static inline void clocks_hide(void) {
    if (!kernel_in_user_mode)
        CSR_WRITE(scounteren, 0);
}
