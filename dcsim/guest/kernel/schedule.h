// Who runs: round-robin with a time slice, waiting and waking.
//
// The kernel is not preemptible: a process gives up the hart only in these functions. An interrupt
// that long work lets in makes processes ready, but none runs here before the work is done; nor do
// other harts enter the kernel (kernel_lock.h). So kernel data needs no other protection.
#pragma once

#include <stdnoreturn.h>

#include "hart.h"
#include "process.h"

// Puts a process at the end of the ready queue.
void make_ready(struct process *process);

// Gives up the hart until `wake(channel)`. May return early: check the condition again.
void wait_on(const void *channel);

// Gives up the hart until the time counter reaches `time`.
void wait_until(uint64_t time);

// Makes all that wait on the channel ready.
void wake(const void *channel);

// Makes all ready that went to sleep on this hart and whose time has come.
void wake_sleepers(uint64_t now);

// Lets the other ready processes run first.
void yield(void);

// Marks the current process as ended, tells its parent, and never comes back.
noreturn void schedule_end(void);

// This hart leaves the kernel: is there another that could run what is ready?
void schedule_share(void);

// To be called by whoever gets the hart: a process cannot free the stack it stands on, so its
// successor does.
void schedule_arrived(void);

// The boot flow ends here: runs what is ready and sleeps when nothing is.
noreturn void idle_loop(void);
