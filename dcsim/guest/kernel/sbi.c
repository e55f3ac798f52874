// What the kernel asks of the firmware.
#include "sbi.h"

#include "layout.h"
#include "print.h"

#define RESET_SHUTDOWN 0

void sbi_set_timer(uint64_t deadline) {
    sbi_call(SBI_TIME, SBI_TIME_SET, deadline, 0, 0);
}

uint64_t sbi_version(void) {
    return sbi_call(SBI_BASE, SBI_BASE_VERSION, 0, 0, 0).value;
}

bool sbi_has(uint64_t extension) {
    struct sbi_result probed = sbi_call(SBI_BASE, SBI_BASE_PROBE, extension, 0, 0);
    return probed.error == 0 && probed.value != 0;
}

void sbi_console_write(const char *bytes, size_t size) {
    while (size) {
        struct sbi_result written =
            sbi_call(SBI_CONSOLE, SBI_CONSOLE_WRITE, size, to_physical(bytes), 0);
        if (written.error || written.value == 0)
            return;
        bytes += written.value;
        size -= written.value;
    }
}

void sbi_shutdown(bool failed) {
    sbi_call(SBI_RESET, SBI_RESET_SYSTEM, RESET_SHUTDOWN, failed, 0);
}

bool sbi_start_hart(uint64_t hart, uint64_t address, uint64_t argument) {
    return sbi_call(SBI_HARTS, SBI_HARTS_START, hart, address, argument).error == 0;
}

// Sets of harts are a mask and the number that its lowest bit stands for.
void sbi_send_interrupt(uint64_t harts) {
    sbi_call(SBI_INTERRUPT, SBI_INTERRUPT_SEND, harts, 0, 0);
}

// The only call with five arguments.
void sbi_remote_fence(uint64_t harts, uint64_t start, uint64_t size, uint64_t asid) {
    register uint64_t a0 __asm__("a0") = harts;
    register uint64_t a1 __asm__("a1") = 0;
    register uint64_t a2 __asm__("a2") = start;
    register uint64_t a3 __asm__("a3") = size;
    register uint64_t a4 __asm__("a4") = asid;
    register uint64_t a6 __asm__("a6") = SBI_FENCE_PAGES_OF_SPACE;
    register uint64_t a7 __asm__("a7") = SBI_FENCE;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    if (a0)
        panic("the firmware cannot fence other harts: error %ld", (int64_t)a0);
}

void sbi_wait_for_kick(uint64_t holder) {
    sbi_call(SBI_LOCKS, SBI_LOCKS_WAIT, holder, 0, 0);
}

void sbi_kick(uint64_t hart) {
    sbi_call(SBI_LOCKS, SBI_LOCKS_KICK, hart, 0, 0);
}

bool sbi_record_steal_time(uint64_t record) {
    return sbi_call(SBI_STEAL_TIME, SBI_STEAL_TIME_SET, record, 0, 0).error == 0;
}
