// What the kernel asks of the firmware.
#include "sbi.h"

#include "layout.h"

#define RESET_SHUTDOWN 0

void sbi_set_timer(uint64_t deadline) {
    sbi_call(SBI_TIME, SBI_TIME_SET, deadline, 0, 0);
}

uint64_t sbi_version(void) {
    return sbi_call(SBI_BASE, SBI_BASE_VERSION, 0, 0, 0).value;
}

bool sbi_has_console(void) {
    struct sbi_result probed = sbi_call(SBI_BASE, SBI_BASE_PROBE, SBI_CONSOLE, 0, 0);
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
