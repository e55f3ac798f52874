// Interrupts.
#include "interrupts.h"

#include "hypervisor.h"
#include "plic.h"
#include "print.h"
#include "riscv.h"
#include "timer.h"

void interrupt_serve(uint64_t cause) {
    if (cause == CAUSE_TIMER)
        timer_interrupt();
    else if (cause == CAUSE_EXTERNAL || cause == CAUSE_SOFTWARE)
        plic_serve();
    else
        panic("unknown interrupt %lx", cause);
}

// WFI wakes although sstatus.SIE is 0, so no interrupt can slip in between the caller's look at its
// condition and the sleep.
void interrupts_wait(void) {
    if (hypervisor_present)
        hypervisor_wait();
    else
        wait_for_interrupt();
    uint64_t pending = CSR_READ(sip);
    if (pending & INTERRUPT_TIMER)
        timer_interrupt();
    if (pending & (INTERRUPT_EXTERNAL | INTERRUPT_SOFTWARE))
        plic_serve();
}

void interrupts_expect_off(uint64_t status) {
    if (status & STATUS_INTERRUPTS)
        panic("assertion failed: interrupts are off");
}

void interrupts_assert_off(void) {
    interrupts_expect_off(CSR_READ(sstatus));
}

// Called by interrupts_allow with the values of sstatus before, during and after.
void interrupts_check_window(uint64_t before, uint64_t during, uint64_t after) {
    interrupts_expect_off(before);
    if (!(during & STATUS_INTERRUPTS))
        panic("assertion failed: interrupts are on");
    interrupts_expect_off(after);
}
