// Calls to the firmware: extension in a7, function in a6, arguments in a0..a2; the error comes
// back in a0 and a value in a1.
#include "sbi.h"

#include "layout.h"

#define BASE 0x10
#define BASE_PROBE 3
#define TIMER 0x54494d45
#define TIMER_SET 0
#define RESET 0x53525354
#define RESET_SYSTEM 0
#define RESET_SHUTDOWN 0
#define DEBUG_CONSOLE 0x4442434e
#define DEBUG_CONSOLE_WRITE 0

struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t first, uint64_t second,
                           uint64_t third) {
    register uint64_t a0 __asm__("a0") = first;
    register uint64_t a1 __asm__("a1") = second;
    register uint64_t a2 __asm__("a2") = third;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(int64_t)a0, a1};
}

void sbi_set_timer(uint64_t deadline) {
    sbi_call(TIMER, TIMER_SET, deadline, 0, 0);
}

bool sbi_has_console(void) {
    struct sbi_result probed = sbi_call(BASE, BASE_PROBE, DEBUG_CONSOLE, 0, 0);
    return probed.error == 0 && probed.value != 0;
}

void sbi_console_write(const char *bytes, size_t size) {
    while (size) {
        struct sbi_result written =
            sbi_call(DEBUG_CONSOLE, DEBUG_CONSOLE_WRITE, size, to_physical(bytes), 0);
        if (written.error || written.value == 0)
            return;
        bytes += written.value;
        size -= written.value;
    }
}

void sbi_shutdown(bool failed) {
    sbi_call(RESET, RESET_SYSTEM, RESET_SHUTDOWN, failed, 0);
}
