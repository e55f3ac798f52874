// The stopwatch: how long programs take for something, told to whoever reads the console, never to
// the programs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

// The system call of that name.
int64_t call_stopwatch(const uint64_t *arguments);

// Is the process part of what is being measured?
bool stopwatch_hides(const struct process *process);

// The process ends: if the stopwatch is its, the timer goes on.
void stopwatch_forget(const struct process *process);
