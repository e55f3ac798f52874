// Physical pages ("frames") and who counts on them.
//
// Nothing is touched before it is needed: frames that were never used stay behind a mark that only
// moves up, so a kernel in a large machine writes no more memory than one in a small machine.
//
// frame_allocate never waits and never evicts anybody's page. A caller that must not fail half-way
// first calls frames_reserve (see replace.h), and then takes at most that many.
#pragma once

#include <stdint.h>

// Takes over all memory from `start` to `end`, physical addresses.
void frames_start(uint64_t start, uint64_t end);

// A frame with one reference and unknown content; 0 when none is left.
uint64_t frame_allocate(void);

// The same, filled with zeros.
uint64_t frame_allocate_zeroed(void);

// One more user of a frame; one fewer, the last of whom frees it.
void frame_retain(uint64_t frame);
void frame_release(uint64_t frame);

unsigned frame_references(uint64_t frame);

// Free frames of which a host below has not heard, since they were freed, that they are free: how many,
// one of them with one reference (0: none), and how it is freed now that the host has heard.
uint64_t frames_unreported(void);
uint64_t frame_take_unreported(void);
void frame_release_reported(uint64_t frame);

// A list of frames, each with one reference, that nobody uses: `*list` is 0 when it is empty.
void frame_keep(uint32_t *list, uint64_t frame);
uint64_t frame_take_kept(uint32_t *list);

// How many frame_allocate calls would succeed now.
uint64_t frames_free(void);

// `pages` adjacent frames that were never used; panics when there are none.
uint64_t frames_allocate_run(uint64_t pages);

// The frames of a large page: adjacent, on a boundary of its size; 0 when there are none. Only the
// first of them counts who uses the page.
uint64_t frames_allocate_large(void);

// One user fewer of the frame, or the frames, of a page of `bytes`.
void frames_release(uint64_t frame, uint64_t bytes);
