// Interrupts: while a process runs they trap; while the kernel waits it polls for them; in the
// middle of long work it lets them in. Everywhere else in the kernel they are off, and that is what
// protects its data.
#pragma once

#include <stdint.h>

// Serves the interrupt that trapped with this cause. Processes may become ready.
void interrupt_serve(uint64_t cause);

// Sleeps until an interrupt is pending, and serves it. Processes may become ready. The kernel's lock
// stays with the caller: nothing changes but what interrupts do.
void interrupts_wait(void);

// Serves what is pending now, by looking. Processes may become ready.
void interrupts_serve_pending(void);

// Serves what is pending now. Costs little when nothing is. Processes may become ready.
void interrupts_allow(void);

// The same by letting them trap (interrupts.S).
void interrupts_open(void);

// Panics when `status`, a value of sstatus in the kernel, says that interrupts are on; and when the
// register itself does. A machine or a monitor that loses a write to sstatus is found out here.
void interrupts_expect_off(uint64_t status);
void interrupts_assert_off(void);
