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

// Thresholds; all interrupts have the second as their priority, and those above the threshold pass.
#define LET_ALL_PASS 0
#define LET_NONE_PASS 1

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
    return 2 * this_hart->id + 1;
}

const volatile uint32_t *plic_threshold_register(void) {
    return machine.plic.address ? plic_register(THRESHOLD + context() * CONTEXT_STRIDE) : NULL;
}

volatile uint32_t *plic_completion_register(void) {
    return machine.plic.address ? plic_register(CLAIM + context() * CONTEXT_STRIDE) : NULL;
}

static void set_threshold(uint32_t threshold) {
    *plic_register(THRESHOLD + context() * CONTEXT_STRIDE) = threshold;
}

static void enable_here(unsigned interrupt) {
    *plic_register(ENABLE + context() * ENABLE_STRIDE + interrupt / 32 * 4) |= 1u << interrupt % 32;
}

void plic_start(void) {
    if (hypervisor_present) {
        interrupts_listen(INTERRUPT_SOFTWARE);
        return;
    }
    set_threshold(LET_ALL_PASS);
    interrupts_listen(INTERRUPT_EXTERNAL);
}

void plic_join(void) {
    if (hypervisor_present)
        return;
    set_threshold(LET_NONE_PASS);
    for (unsigned interrupt = 1; interrupt < INTERRUPT_LIMIT; interrupt++) {
        if (handlers[interrupt].function)
            enable_here(interrupt);
    }
    interrupts_listen(INTERRUPT_EXTERNAL);
}

void plic_enable(unsigned interrupt, interrupt_handler *handler, void *argument) {
    if (!machine.plic.address || interrupt == 0 || interrupt >= INTERRUPT_LIMIT)
        panic("no way to receive interrupt %u", interrupt);
    handlers[interrupt].function = handler;
    handlers[interrupt].argument = argument;
    if (hypervisor_present)
        return;
    *plic_register(PRIORITY + interrupt * 4) = LET_NONE_PASS;
    enable_here(interrupt);
}

static void serve(uint32_t interrupt) {
    if (interrupt < INTERRUPT_LIMIT && handlers[interrupt].function)
        handlers[interrupt].function(handlers[interrupt].argument);
}

static void serve_all(uint64_t interrupts) {
    for (uint32_t interrupt = 0; interrupts; interrupt++, interrupts >>= 1) {
        if (interrupts & 1)
            serve(interrupt);
    }
}

// A hypervisor reads the controller itself, and tells of all that was raised at once.
static void serve_events(void) {
    uint64_t events = hypervisor_take_events();
    if (events & HYPERVISOR_TIMER)
        timer_interrupt();
    serve_all(events & ~(HYPERVISOR_TIMER | HYPERVISOR_HART));
}

void plic_listen_here(void) {
    if (this_hart == &harts[0])
        return;
    if (!hypervisor_present) {
        set_threshold(LET_ALL_PASS);
        return;
    }
    hypervisor_listen(this_hart);
    serve_all(hypervisor_take_lines_of(&harts[0]));
}

void plic_listen_at_first(void) {
    if (this_hart == &harts[0])
        return;
    if (hypervisor_present)
        hypervisor_listen(&harts[0]);
    else
        set_threshold(LET_NONE_PASS);
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
