// Interrupts.
#include "interrupts.h"

#include "plic.h"
#include "print.h"
#include "riscv.h"
#include "timer.h"

void interrupt_serve(uint64_t cause) {
    if (cause == CAUSE_TIMER)
        timer_interrupt();
    else if (cause == CAUSE_EXTERNAL)
        plic_serve();
    else
        panic("unknown interrupt %lx", cause);
}

// WFI wakes although sstatus.SIE is 0, so no interrupt can slip in between the caller's look at its
// condition and the sleep.
void interrupts_wait(void) {
    wait_for_interrupt();
    uint64_t pending = CSR_READ(sip);
    if (pending & INTERRUPT_TIMER)
        timer_interrupt();
    if (pending & INTERRUPT_EXTERNAL)
        plic_serve();
}
