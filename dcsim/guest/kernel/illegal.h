// Illegal instructions of processes that want to survive them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

// The process executed an illegal instruction. If it asked for that, goes on behind it: true.
bool illegal_skip(struct process *process);

// The system call of that name.
int64_t call_skip_illegal(const uint64_t *arguments);
