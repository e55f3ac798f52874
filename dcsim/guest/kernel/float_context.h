// Floating-point registers: loaded and saved only for processes that use them.
//
// sstatus.FS in a process's trap frame tells: Off, it never used one (the first use traps); Clean,
// its values are in process->floats; Dirty, it changed them since.
#pragma once

#include "process.h"

// An instruction was illegal. If that was because floating point is off, turns it on: true.
bool float_first_use(struct process *process);

// The process stops running, or is about to run.
void float_leave(struct process *process);
void float_enter(struct process *process);

// A forked child starts with its parent's values; an ended process leaves nothing behind.
void float_copy(struct process *parent, struct process *child);
void float_forget(struct process *process);
