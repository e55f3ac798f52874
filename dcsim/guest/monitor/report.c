#include "report.h"

#include "firmware.h"
#include "format.h"
#include "machine.h"

#define RESET_SHUTDOWN 0
#define REASON_FAILURE 1

static void console_write(const char *bytes, size_t size) {
    while (size) {
        struct sbi_result written =
            sbi_call(SBI_CONSOLE, SBI_CONSOLE_WRITE, size, (uint64_t)bytes, 0);
        if (written.error || written.value == 0)
            return;
        bytes += written.value;
        size -= written.value;
    }
}

static void report_list(const char *pattern, va_list arguments) {
    static char line[REPORT_LINE_BYTES];
    size_t size = format_list(line, sizeof line - 1, pattern, arguments);
    line[size++] = '\n';
    console_write(line, size);
}

void report(const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    report_list(pattern, arguments);
    va_end(arguments);
}

_Noreturn void give_up(const char *pattern, ...) {
    va_list arguments;
    report("monitor %u gives up:", machine.depth);
    va_start(arguments, pattern);
    report_list(pattern, arguments);
    va_end(arguments);
    firmware_reset(RESET_SHUTDOWN, REASON_FAILURE);
}
