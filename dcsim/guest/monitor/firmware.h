// What the monitor asks of the firmware below.
#pragma once

#include <stdint.h>

#include "sbi_call.h"

// Interrupts the monitor at the given time-counter value, once. UINT64_MAX: never.
void firmware_set_timer(uint64_t deadline);

// Powers off; `type` and `reason` as in the call to the firmware.
_Noreturn void firmware_reset(uint64_t type, uint64_t reason);
