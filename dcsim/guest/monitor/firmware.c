#include "firmware.h"

#include "riscv.h"

#define TIME_SET 0
#define RESET_SYSTEM 0

struct answer firmware_call(uint64_t extension, uint64_t function, uint64_t first, uint64_t second,
                            uint64_t third) {
    register uint64_t a0 __asm__("a0") = first;
    register uint64_t a1 __asm__("a1") = second;
    register uint64_t a2 __asm__("a2") = third;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct answer){(int64_t)a0, a1};
}

void firmware_set_timer(uint64_t deadline) {
    firmware_call(FIRMWARE_TIME, TIME_SET, deadline, 0, 0);
}

_Noreturn void firmware_reset(uint64_t type, uint64_t reason) {
    firmware_call(FIRMWARE_RESET, RESET_SYSTEM, type, reason, 0);
    for (;;)
        wait_for_interrupt();
}
