// The kernel's lock: one hart at a time is in the kernel.
//
// It is taken on each way in and given back on each way out, to a process or to sleep; so whatever
// happens within one system call happens at once, as on one hart. On a machine with one hart nobody touches it.
#pragma once

// Finds out how to wait for it. Before it is first taken.
void kernel_lock_start(void);

void kernel_lock_take(void);
void kernel_lock_release(void);
