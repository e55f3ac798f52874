// What the kernel asks of the firmware.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sbi_call.h"

// Calls the firmware at the given time-counter value, once. UINT64_MAX: never.
void sbi_set_timer(uint64_t deadline);

// The version of the interface: the shortest call there is.
uint64_t sbi_version(void);

// Does the firmware have a debug console (DBCN)?
bool sbi_has_console(void);

// Writes to the debug console; `bytes` must be memory of the kernel.
void sbi_console_write(const char *bytes, size_t size);

// Powers off; returns only when the firmware cannot.
void sbi_shutdown(bool failed);
