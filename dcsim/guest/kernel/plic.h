// The platform-level interrupt controller: which device wants attention.
#pragma once

#include <stdint.h>

typedef void interrupt_handler(void *argument);

// Accepts external interrupts. Requires machine.plic.
void plic_start(void);

// Calls handler(argument) whenever the device's interrupt is raised.
void plic_enable(unsigned interrupt, interrupt_handler *handler, void *argument);

// The first hart serves all interrupts of devices. Another hart gets ready to do so; does so from now on
// too, for as long as it waits for a device with the kernel's lock in hand; and no longer does.
void plic_join(void);
void plic_listen_here(void);
void plic_listen_at_first(void);

// A register that holds which interrupts pass; NULL without a controller.
const volatile uint32_t *plic_threshold_register(void);

// A register that is told which interrupt has been served; NULL without a controller.
volatile uint32_t *plic_completion_register(void);

// Serves one raised interrupt, if any.
void plic_serve(void);
