#include "vcpu.h"

#include "firmware.h"
#include "riscv.h"

#define VECTORED 1ul
#define VECTOR_MODE 3ul

struct vcpu vcpu;

// Moves one bit of a status word to another's place.
static uint64_t moved(uint64_t status, uint64_t from, uint64_t to) {
    return status & from ? to : 0;
}

void vcpu_trap(uint64_t cause, uint64_t value) {
    uint64_t changed = STATUS_INTERRUPTS | STATUS_USER_INTERRUPTS | STATUS_FROM_SUPERVISOR;
    uint64_t before = moved(vcpu.status, STATUS_INTERRUPTS, STATUS_USER_INTERRUPTS);
    vcpu.status = (vcpu.status & ~changed) | before | (vcpu.supervisor ? STATUS_FROM_SUPERVISOR : 0);
    vcpu.exception_pc = vcpu.pc;
    vcpu.cause = cause;
    vcpu.value = value;
    vcpu.supervisor = true;
    vcpu.pc = vcpu.vector & ~VECTOR_MODE;
    if (cause & CAUSE_INTERRUPT && vcpu.vector & VECTORED)
        vcpu.pc += 4 * (cause & ~CAUSE_INTERRUPT);
}

void vcpu_return(void) {
    uint64_t before = moved(vcpu.status, STATUS_USER_INTERRUPTS, STATUS_INTERRUPTS);
    vcpu.supervisor = vcpu.status & STATUS_FROM_SUPERVISOR;
    vcpu.status &= ~(STATUS_INTERRUPTS | STATUS_FROM_SUPERVISOR);
    vcpu.status |= before | STATUS_USER_INTERRUPTS;
    vcpu.pc = vcpu.exception_pc;
}

void vcpu_take_interrupt(void) {
    uint64_t waiting = vcpu.pending & vcpu.enabled;
    if (!waiting || (vcpu.supervisor && !(vcpu.status & STATUS_INTERRUPTS)))
        return;
    vcpu_trap(waiting & INTERRUPT_SOFTWARE ? CAUSE_SOFTWARE : CAUSE_TIMER, 0);
}

void vcpu_wait(void) {
    while (!(vcpu.pending & vcpu.enabled)) {
        wait_for_interrupt();
        if (CSR_READ(sip) & INTERRUPT_TIMER)
            vcpu_timer_expired();
    }
}

// The machine's timer is the guest's: the monitor has no use for one.
void vcpu_set_timer(uint64_t deadline) {
    vcpu.timer = deadline;
    vcpu.pending &= ~INTERRUPT_TIMER;
    firmware_set_timer(deadline);
    CSR_SET(sie, INTERRUPT_TIMER);
}

void vcpu_timer_expired(void) {
    vcpu.pending |= INTERRUPT_TIMER;
    CSR_CLEAR(sie, INTERRUPT_TIMER);
}
