// Page replacement: making frames free when none are left.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Makes sure that the next `frames` calls of frame_allocate succeed, evicting pages of processes
// where necessary, and then taking back what a balloon holds. False when that is impossible.
bool frames_reserve(uint64_t frames);

// The same, but a balloon keeps what it holds.
bool frames_replace(uint64_t frames);
