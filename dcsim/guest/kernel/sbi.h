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

// Does the firmware have an extension?
bool sbi_has(uint64_t extension);

// Writes to the debug console; `bytes` must be memory of the kernel.
void sbi_console_write(const char *bytes, size_t size);

// Starts a hart at a physical address, with its number in a0 and `argument` in a1. False when the firmware
// does not.
bool sbi_start_hart(uint64_t hart, uint64_t address, uint64_t argument);

// Sends an interrupt to the harts whose bits, by their numbers, are set.
void sbi_send_interrupt(uint64_t harts);

// Has these harts fence a range of an address space; returns when they have.
void sbi_remote_fence(uint64_t harts, uint64_t start, uint64_t size, uint64_t asid);

// Tells a hypervisor that this hart waits for a lock that another has, and returns when it is kicked, or
// earlier; kicks a hart. They need SBI_LOCKS, an extension of dcsim's.
void sbi_wait_for_kick(uint64_t holder);
void sbi_kick(uint64_t hart);

// Has the time that is stolen from this hart recorded at a physical address (STA).
bool sbi_record_steal_time(uint64_t record);

// Powers off; returns only when the firmware cannot.
void sbi_shutdown(bool failed);
