// Ending the machine: the test finisher takes 0x5555 for success, 0x3333 with the status in the
// upper half for failure.
#include "power.h"

#include "layout.h"
#include "machine.h"
#include "print.h"
#include "privilege.h"
#include "sbi.h"
#include "statistics.h"

#define FINISHER_PASS 0x5555u
#define FINISHER_FAIL 0x3333u

noreturn void power_off(unsigned status) {
    statistics_print();
    print("kernel: power off, status %u\n", status);
    if (machine.finisher) {
        volatile uint32_t *finisher = to_pointer(machine.finisher);
        *finisher = status ? status << 16 | FINISHER_FAIL : FINISHER_PASS;
    } else {
        // Not after the finisher, which may take a moment: firmware would write its own status.
        sbi_shutdown(status != 0);
    }
    for (;;)
        interrupt_sleep();
}
