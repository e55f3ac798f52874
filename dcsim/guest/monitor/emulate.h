// The privileged instructions of the guest, executed on its virtual state.
#pragma once

#include <stdint.h>

// Executes the instruction at the guest's pc, which was illegal in user mode, or lets the guest take the
// exception. `instruction`: its bits.
void emulate(uint64_t instruction);
