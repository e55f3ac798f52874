// Calls to the firmware (RISC-V Supervisor Binary Interface 2.0).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sbi_result {
    int64_t error;  // 0: none
    uint64_t value;
};

// Any call: extension, function, arguments.
struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t first, uint64_t second,
                           uint64_t third);

// Calls the firmware at the given time-counter value, once. UINT64_MAX: never.
void sbi_set_timer(uint64_t deadline);

// Does the firmware have a debug console (DBCN)?
bool sbi_has_console(void);

// Writes to the debug console; `bytes` must be memory of the kernel.
void sbi_console_write(const char *bytes, size_t size);

// Powers off; returns only when the firmware cannot.
void sbi_shutdown(bool failed);
