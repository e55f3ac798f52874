// The user digest: what a process's own stores left behind, as one number.
//
// It covers the address and content of every page that the process wrote and still has when it
// ends, in memory or swapped out; of memory that was asked for in large pages, every small page that
// holds anything. It depends on nothing else: not on time, not on how much memory
// the machine has, not on which frames the pages were in. The same program with the same input must
// give the same digest on any machine, so a wrong digest convicts the machine.
#pragma once

#include "process.h"

// Prints `digest <program>#<instance> <16 hexadecimal digits> pages=<n>`.
void digest_print(struct process *process);
