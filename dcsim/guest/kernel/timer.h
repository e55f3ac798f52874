// Time slices and wake-ups, from one timer per hart.
#pragma once

#include <stdbool.h>
#include <stdint.h>

void timer_start(void);

// The timer fired: wakes sleepers and ends time slices.
void timer_interrupt(void);

// Has the running process had its time? Asking starts the next slice.
bool timer_slice_over(void);

// Somebody wants to wake at `time`.
void timer_want(uint64_t time);

// Processes run again: time slices matter. Nobody runs: they do not.
void timer_busy(void);
void timer_idle(void);

// Whether time slices end may have changed.
void timer_look(void);

// The timer no longer interrupts for the end of time slices, only for sleepers; and again does, from
// a fresh time slice on.
void timer_pause(void);
void timer_resume(void);

// The duration of so many milliseconds on the time counter.
uint64_t timer_ticks(uint64_t milliseconds);
