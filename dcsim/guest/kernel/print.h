// Console messages, panics and assertions of the kernel.
#pragma once

#include <stdnoreturn.h>

// One message on the console; see common/format.h for the pattern.
__attribute__((format(printf, 1, 2)))
void print(const char *pattern, ...);

// Prints the reason and powers off with status PANIC_STATUS. May be called from anywhere.
__attribute__((format(printf, 1, 2)))
noreturn void panic(const char *pattern, ...);

#define PANIC_STATUS 255

// A condition that must hold, or the kernel itself is wrong.
#define ASSERT(condition) \
    ((condition) ? (void)0 : panic("assertion failed in %s: %s", __func__, #condition))
