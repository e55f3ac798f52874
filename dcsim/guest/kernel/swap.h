// The swap area: the last settings.swap_pages pages of the disk, in slots of one page.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Requires a started block device when settings.swap_pages is not zero.
void swap_start(void);

// A free slot with one reference, or SWAP_FULL.
uint64_t swap_allocate(void);
#define SWAP_FULL UINT64_MAX

// How many slots are free.
uint64_t swap_free(void);

// Forked processes share slots as they share frames.
void swap_retain(uint64_t slot);
void swap_release(uint64_t slot);

// Moves a page between a slot and a frame; the hart waits, but no other process runs meanwhile.
void swap_read(uint64_t slot, uint64_t frame);
void swap_write(uint64_t slot, uint64_t frame);

// How many pages were moved so far.
uint64_t swap_pages_read(void);
uint64_t swap_pages_written(void);
