// From one kernel stack to another (switch.S).
#pragma once

#include <stdint.h>

// What a switch saves; switch.S knows this layout.
struct context {
    uint64_t return_address;
    uint64_t stack_pointer;
    uint64_t saved[12];  // s0..s11
};

// Saves the caller's stack and registers in `from` and continues where `to` was saved.
void switch_context(struct context *from, const struct context *to);

// Where a new process starts: with s0 = its trap frame, on its empty kernel stack.
void process_begin(void);
