// Console messages, panics and assertions.
#include "print.h"

#include <stdarg.h>

#include "console.h"
#include "format.h"
#include "hart.h"
#include "power.h"
#include "privilege.h"

#define LINE_BYTES 192

void print(const char *pattern, ...) {
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, pattern);
    size_t length = format_list(line, sizeof line, pattern, arguments);
    va_end(arguments);
    console_write(line, length);
}

noreturn void panic(const char *pattern, ...) {
    interrupts_listen_to_none();  // however wrong things are, nothing comes in between
    if (several_harts)
        harts_stop_others();
    char reason[LINE_BYTES];
    va_list arguments;
    va_start(arguments, pattern);
    format_list(reason, sizeof reason, pattern, arguments);
    va_end(arguments);
    print("kernel: panic: %s\n", reason);
    power_off(PANIC_STATUS);
}
