// The firmware below the monitor (RISC-V Supervisor Binary Interface 2.0), and what its guest finds in
// its place.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FIRMWARE_BASE 0x10
#define FIRMWARE_TIME 0x54494d45
#define FIRMWARE_RESET 0x53525354
#define FIRMWARE_CONSOLE 0x4442434e

struct answer {
    int64_t error;
    uint64_t value;
};

// A call: extension, function, arguments.
struct answer firmware_call(uint64_t extension, uint64_t function, uint64_t first, uint64_t second,
                            uint64_t third);

// Interrupts the monitor at the given time-counter value, once. UINT64_MAX: never.
void firmware_set_timer(uint64_t deadline);

// Powers off; `type` and `reason` as in the call to the firmware.
_Noreturn void firmware_reset(uint64_t type, uint64_t reason);
