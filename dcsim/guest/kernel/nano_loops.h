// Loops inside the kernel whose rounds a stopwatch measures.
#pragma once

#include <stdint.h>

// The system call nano_loop.
int64_t call_nano_loop(const uint64_t *arguments);
