// Page replacement: making frames free when none are left.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Makes sure that the next `frames` calls of frame_allocate succeed, evicting pages of processes
// where necessary. False when that is impossible.
bool frames_reserve(uint64_t frames);
