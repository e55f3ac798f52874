// A small printf for the kernel and the user library.
//
// Understood: %s %c %d %u %x, the last three also with l (64-bit) and with a zero-padded width
// (%016lx), and %%. The compiler checks the arguments as it does for printf.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// Writes at most size - 1 characters and a final zero byte; returns the characters written.
size_t format_list(char *buffer, size_t size, const char *pattern, va_list arguments);

__attribute__((format(printf, 3, 4)))
size_t format(char *buffer, size_t size, const char *pattern, ...);
