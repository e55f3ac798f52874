// A trap out of the guest: what it means, and what is done about it.
#pragma once

enum exit {
    EXIT_CSR,        // an access to a register of its supervisor mode
    EXIT_RETURN,     // SRET
    EXIT_FENCE,      // SFENCE.VMA
    EXIT_WAIT,       // WFI
    EXIT_CALL,       // a call to its firmware
    EXIT_FILL,       // a page that the shadow table lacked
    EXIT_REFLECTED,  // an exception that its own supervisor mode takes
    EXIT_TIMER,
    EXIT_KINDS,
};

void count_exit(enum exit kind);

// Prints what was counted, in the form of a program's result: `result monitor-<depth> exits=... `.
void report_exits(void);

// Where every trap ends up, on a fresh stack; goes back into the guest.
_Noreturn void exit_serve(void);

extern char monitor_stack_top[];
