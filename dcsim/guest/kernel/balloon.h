// The memory balloon: a virtio device by which the host asks for memory (specification section 5.5).
//
// The kernel gives page frames to the host, replacing pages of processes where it has to, and takes
// them back when the host asks for fewer, or before it would have to end a process for lack of
// memory. It never gives its last frames.
//
// The device's interrupt only leaves word. The work is done between two traps, when nobody in the
// kernel counts on frames.
#pragma once

#include <stdbool.h>

// Requires started interrupts. Nothing is given yet.
void balloon_start(void);

// Does a part of what the host asked for, if it did: true when there is more to do.
bool balloon_work(void);

// Nothing else is to be done: tells the host of free frames that it has not heard of.
void balloon_idle(void);

// Takes some frames back for those who find no memory; false when the host has none of ours, or it
// asked that nothing be taken back unasked.
bool balloon_give_way(void);
