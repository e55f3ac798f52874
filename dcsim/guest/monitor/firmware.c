#include "firmware.h"

#include "riscv.h"

void firmware_set_timer(uint64_t deadline) {
    sbi_call(SBI_TIME, SBI_TIME_SET, deadline, 0, 0);
}

_Noreturn void firmware_reset(uint64_t type, uint64_t reason) {
    sbi_call(SBI_RESET, SBI_RESET_SYSTEM, type, reason, 0);
    for (;;)
        wait_for_interrupt();
}
