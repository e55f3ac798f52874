// The RISC-V supervisor's registers and instructions, under names.
// Numbers are those of the privileged specification, chapters "Supervisor-Level ISA" and "Sv39".
#pragma once

#include <stdint.h>

#define CSR_READ(name)                                        \
    ({                                                        \
        uint64_t value_;                                      \
        __asm__ volatile("csrr %0, " #name : "=r"(value_));   \
        value_;                                               \
    })
#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" ::"rK"((uint64_t)(value)))
#define CSR_SET(name, bits) __asm__ volatile("csrs " #name ", %0" ::"rK"((uint64_t)(bits)))
#define CSR_CLEAR(name, bits) __asm__ volatile("csrc " #name ", %0" ::"rK"((uint64_t)(bits)))

// sstatus
#define STATUS_INTERRUPTS (1ul << 1)        // SIE: interrupts taken while in S mode
#define STATUS_USER_INTERRUPTS (1ul << 5)   // SPIE: becomes SIE at sret
#define STATUS_FROM_SUPERVISOR (1ul << 8)   // SPP: the trap came from S mode
#define STATUS_FLOAT_MASK (3ul << 13)       // FS: what to do with floating point
#define STATUS_FLOAT_OFF (0ul << 13)        //   instructions trap
#define STATUS_FLOAT_CLEAN (2ul << 13)      //   registers equal their saved copy
#define STATUS_FLOAT_DIRTY (3ul << 13)      //   registers were written since

#define STATUS_USER_64_BIT (2ul << 32)      // UXL: registers of processes have 64 bits

// sie and sip
#define INTERRUPT_SOFTWARE (1ul << 1)
#define INTERRUPT_TIMER (1ul << 5)
#define INTERRUPT_EXTERNAL (1ul << 9)

// scause
#define CAUSE_INTERRUPT (1ul << 63)
#define CAUSE_SOFTWARE (CAUSE_INTERRUPT | 1)
#define CAUSE_TIMER (CAUSE_INTERRUPT | 5)
#define CAUSE_EXTERNAL (CAUSE_INTERRUPT | 9)
#define CAUSE_ILLEGAL_INSTRUCTION 2
#define CAUSE_USER_CALL 8
#define CAUSE_FETCH_PAGE_FAULT 12
#define CAUSE_LOAD_PAGE_FAULT 13
#define CAUSE_STORE_PAGE_FAULT 15

// satp
#define SATP_SV39 (8ul << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK (0xfffful << SATP_ASID_SHIFT)

static inline uint64_t time_now(void) {
    return CSR_READ(time);
}

// Page-table stores become visible to the walker, and stale translations go away:
// of one page of one address space, of one address space, of everything.
static inline void fence_page(uint64_t address, uint64_t asid) {
    __asm__ volatile("sfence.vma %0, %1" ::"r"(address), "r"(asid) : "memory");
}
static inline void fence_space(uint64_t asid) {
    __asm__ volatile("sfence.vma zero, %0" ::"r"(asid) : "memory");
}
static inline void fence_everything(void) {
    __asm__ volatile("sfence.vma" ::: "memory");
}

// Stores to memory that will be fetched as instructions become visible to fetch.
static inline void flush_instructions(void) {
    __asm__ volatile("fence.i" ::: "memory");
}

// Orders memory and device accesses before it ahead of those after it.
static inline void device_fence(void) {
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

// Another look at the same word in memory can wait a moment (Zihintpause; elsewhere it does nothing).
static inline void pause(void) {
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
}

// Wakes at an interrupt pending in sip and enabled in sie, even while SIE = 0 holds back its trap.
static inline void wait_for_interrupt(void) {
    __asm__ volatile("wfi" ::: "memory");
}
