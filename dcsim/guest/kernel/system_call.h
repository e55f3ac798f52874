// System calls, the kernel's side; the numbers are in common/system_calls.h.
#pragma once

#include "process.h"

// Serves the call that the current process made and puts the result into its frame.
void system_call_serve(struct trap_frame *frame);
