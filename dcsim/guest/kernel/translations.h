// Translations that harts keep (TLBs), and code that they have fetched, when memory changes under them.
//
// A process runs on one hart at a time. So what a hart keeps of a process that runs elsewhere, or not at all,
// may stay out of date until the process comes back to it, which is when that hart fences. Fenced
// from afar is only a hart that runs the process at this moment, which page replacement may disturb.
// With a hypervisor that this kernel knows, flushes reach all harts by themselves.
#pragma once

#include "address_space.h"

// This hart is about to use an address space after others.
void translations_catch_up(uint64_t asid);

// One entry of an address space, which another hart may be using, has changed.
void translations_flush_everywhere(const struct address_space *space, uint64_t address);

// New code has been written to memory. This hart sees it at once, the others when they catch up.
void code_changed(void);
