// Ending the machine.
#pragma once

#include <stdint.h>
#include <stdnoreturn.h>

// Powers off with a status of 0..65535 that the outside can see: through the test finisher when
// the machine has one, else through the firmware, which only tells zero from non-zero.
noreturn void power_off(unsigned status);
