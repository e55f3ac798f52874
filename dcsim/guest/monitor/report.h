// Lines of the monitor's own on the console.
#pragma once

#define REPORT_LINE_BYTES 320

__attribute__((format(printf, 1, 2)))
void report(const char *pattern, ...);

// Says why and powers off with a failure.
__attribute__((format(printf, 1, 2)))
_Noreturn void give_up(const char *pattern, ...);
