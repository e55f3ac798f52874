// From one kernel stack to another (switch.S).
#pragma once

#include "process.h"

// Saves the caller's stack and registers in `from` and continues where `to` was saved.
void switch_context(struct context *from, const struct context *to);

// Where a new process starts: with s0 = its trap frame, on its empty kernel stack.
void process_begin(void);
