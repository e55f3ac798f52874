// Interrupts: while a process runs they trap; while the kernel waits it polls for them.
#pragma once

#include <stdint.h>

// Serves the interrupt that trapped with this cause.
void interrupt_serve(uint64_t cause);

// Sleeps until an interrupt is pending, and serves it. Processes may become ready.
void interrupts_wait(void);
