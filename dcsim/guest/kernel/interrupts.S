// The one place where the kernel lets interrupts trap.
//
// An interrupt that is pending traps right behind the first instruction: a write to sstatus takes
// effect at once. trap.S accepts traps out of the kernel between the two labels only. This is an
// ordinary call for the compiler, so of the registers that a callee may change only a0, a1 and ra
// hold anything there.
    .equ    STATUS_INTERRUPTS, 2

    .text
    .globl interrupts_open, interrupts_window, interrupts_window_last
interrupts_open:
    csrrsi  a0, sstatus, STATUS_INTERRUPTS  // what they were
interrupts_window:
    csrr    a1, sstatus                     // what they are while open
interrupts_window_last:
    csrci   sstatus, STATUS_INTERRUPTS
    csrr    a2, sstatus                     // what they are again
    tail    interrupts_check_window
