// Calls to the firmware (RISC-V Supervisor Binary Interface 2.0): extension in a7, function in a6,
// arguments in a0..a2; the error comes back in a0 and a value in a1.
#pragma once

#include <stdint.h>

#define SBI_BASE 0x10
#define SBI_BASE_VERSION 0
#define SBI_BASE_PROBE 3
#define SBI_TIME 0x54494d45
#define SBI_TIME_SET 0
#define SBI_RESET 0x53525354
#define SBI_RESET_SYSTEM 0
#define SBI_CONSOLE 0x4442434e
#define SBI_CONSOLE_WRITE 0
#define SBI_HARTS 0x48534d
#define SBI_HARTS_START 0
#define SBI_INTERRUPT 0x735049
#define SBI_INTERRUPT_SEND 0
#define SBI_FENCE 0x52464e43
#define SBI_FENCE_PAGES_OF_SPACE 2
#define SBI_STEAL_TIME 0x535441
#define SBI_STEAL_TIME_SET 0
#define SBI_LOCKS 0x0a444354
#define SBI_LOCKS_WAIT 0
#define SBI_LOCKS_KICK 1

struct sbi_result {
    int64_t error;  // 0: none
    uint64_t value;
};

static inline struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t first,
                                         uint64_t second, uint64_t third) {
    register uint64_t a0 __asm__("a0") = first;
    register uint64_t a1 __asm__("a1") = second;
    register uint64_t a2 __asm__("a2") = third;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(int64_t)a0, a1};
}
