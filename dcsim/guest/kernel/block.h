// The disk.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SECTOR_BYTES 512ul

enum block_direction { BLOCK_READ, BLOCK_WRITE };

// How to spend the time until the disk is done: other processes run, or the hart idles. Only the
// second leaves the kernel's memory as it is, which a page fault half served relies on.
enum block_wait { BLOCK_WAIT_YIELD, BLOCK_WAIT_IDLE };

// Finds the disk, if there is one.
void block_start(void);

// Its size; 0 without a disk.
uint64_t block_sectors(void);

// Moves `bytes`, whole sectors and at most a page, between the disk and the start of a frame.
// False when the device fails.
bool block_transfer(enum block_direction direction, uint64_t sector, uint64_t frame, uint64_t bytes,
                    enum block_wait wait);

// Waits until all that was written before is on the medium. False when the device fails.
bool block_flush(void);
