// The platform-level interrupt controller (RISC-V PLIC specification 1.0).
//
// Every hart has two contexts, M mode first: S mode of hart h is context 2h + 1.
#include "plic.h"

#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "machine.h"
#include "print.h"
#include "privilege.h"
#include "timer.h"

#define INTERRUPT_LIMIT 64

// Offsets of 32-bit registers, in bytes.
#define PRIORITY 0x0
#define ENABLE 0x2000
#define ENABLE_STRIDE 0x80
#define THRESHOLD 0x200000
#define CLAIM 0x200004
#define CONTEXT_STRIDE 0x1000

static struct {
    interrupt_handler *function;
    void *argument;
} handlers[INTERRUPT_LIMIT];

static volatile uint32_t *plic_register(uint64_t offset) {
    return to_pointer(machine.plic.address + offset);
}

static uint64_t context(void) {
    return 2 * machine.boot_hart + 1;
}

const volatile uint32_t *plic_threshold_register(void) {
    return machine.plic.address ? plic_register(THRESHOLD + context() * CONTEXT_STRIDE) : NULL;
}

void plic_start(void) {
    if (hypervisor_present) {
        interrupts_listen(INTERRUPT_SOFTWARE);
        return;
    }
    *plic_register(THRESHOLD + context() * CONTEXT_STRIDE) = 0;
    interrupts_listen(INTERRUPT_EXTERNAL);
}

void plic_enable(unsigned interrupt, interrupt_handler *handler, void *argument) {
    if (!machine.plic.address || interrupt == 0 || interrupt >= INTERRUPT_LIMIT)
        panic("no way to receive interrupt %u", interrupt);
    handlers[interrupt].function = handler;
    handlers[interrupt].argument = argument;
    if (hypervisor_present)
        return;
    *plic_register(PRIORITY + interrupt * 4) = 1;
    *plic_register(ENABLE + context() * ENABLE_STRIDE + interrupt / 32 * 4) |=
        1u << interrupt % 32;
}

static void serve(uint32_t interrupt) {
    if (interrupt < INTERRUPT_LIMIT && handlers[interrupt].function)
        handlers[interrupt].function(handlers[interrupt].argument);
}

// A hypervisor reads the controller itself, and tells of all that was raised at once.
static void serve_events(void) {
    uint64_t events = hypervisor_take_events();
    if (events & HYPERVISOR_TIMER)
        timer_interrupt();
    for (uint32_t interrupt = 0; events; interrupt++, events >>= 1) {
        if (events & 1)
            serve(interrupt);
    }
}

// Others raised at the same time keep the interrupt pending and are served by the next trap:
// asking the controller once more to learn that there is nothing would cost every interrupt.
void plic_serve(void) {
    if (hypervisor_present) {
        serve_events();
        return;
    }
    volatile uint32_t *claim = plic_register(CLAIM + context() * CONTEXT_STRIDE);
    uint32_t interrupt = *claim;
    if (interrupt == 0)
        return;
    serve(interrupt);
    *claim = interrupt;
}
