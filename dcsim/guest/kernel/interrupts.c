// Interrupts.
#include "interrupts.h"

#include "plic.h"
#include "print.h"
#include "privilege.h"
#include "timer.h"

// A hypervisor that this kernel knows tells of devices in the same way.
static void serve_software(void) {
    if (several_harts)
        hart_interrupted();
    if (hypervisor_present)
        plic_serve();
}

void interrupt_serve(uint64_t cause) {
    if (cause == CAUSE_TIMER)
        timer_interrupt();
    else if (cause == CAUSE_EXTERNAL)
        plic_serve();
    else if (cause == CAUSE_SOFTWARE)
        serve_software();
    else
        panic("unknown interrupt %lx", cause);
}

// In user mode the timer is one of the events.
void interrupts_serve_pending(void) {
    uint64_t pending = kernel_in_user_mode ? INTERRUPT_SOFTWARE : CSR_READ(sip);
    if (pending & INTERRUPT_TIMER)
        timer_interrupt();
    if (pending & INTERRUPT_EXTERNAL)
        plic_serve();
    if (pending & INTERRUPT_SOFTWARE)
        serve_software();
}

// Sleep ends although sstatus.SIE is 0, so no interrupt can slip in between the caller's look at its
// condition and the sleep.
void interrupts_wait(void) {
    interrupt_sleep();
    interrupts_serve_pending();
}

// Nothing interrupts a kernel in user mode: it looks for itself.
void interrupts_allow(void) {
    if (kernel_in_user_mode)
        interrupts_serve_pending();
    else
        interrupts_open();
}

void interrupts_expect_off(uint64_t status) {
    if (status & STATUS_INTERRUPTS)
        panic("assertion failed: interrupts are off");
}

void interrupts_assert_off(void) {
    interrupts_expect_off(kernel_status());
}

// Called by interrupts_open with the values of sstatus before, during and after.
void interrupts_check_window(uint64_t before, uint64_t during, uint64_t after) {
    interrupts_expect_off(before);
    if (!(during & STATUS_INTERRUPTS))
        panic("assertion failed: interrupts are on");
    interrupts_expect_off(after);
}
