// The swap area.
#include "swap.h"

#include "block.h"
#include "frames.h"
#include "layout.h"
#include "memory.h"
#include "print.h"
#include "settings.h"

#define SECTORS_PER_PAGE (PAGE_BYTES / SECTOR_BYTES)

static uint8_t *references;  // by slot
static uint64_t slots, used, first_sector;
static uint64_t search_from;  // slots below are in use
static uint64_t pages_read, pages_written;

void swap_start(void) {
    uint64_t wanted = settings.swap_pages, sectors = block_sectors();
    if (wanted * SECTORS_PER_PAGE > sectors)
        panic("the disk is too small for %lu swap pages", wanted);
    if (wanted == 0)
        return;
    slots = wanted;
    first_sector = sectors - slots * SECTORS_PER_PAGE;
    uint64_t bytes = page_up(slots);
    references = to_pointer(frames_allocate_run(bytes / PAGE_BYTES));
    memset(references, 0, bytes);
}

uint64_t swap_allocate(void) {
    for (uint64_t slot = search_from; slot < slots; slot++) {
        if (references[slot] == 0) {
            references[slot] = 1;
            search_from = slot + 1;
            used++;
            return slot;
        }
    }
    search_from = slots;
    return SWAP_FULL;
}

uint64_t swap_free(void) {
    return slots - used;
}

void swap_retain(uint64_t slot) {
    ASSERT(slot < slots && references[slot] > 0 && references[slot] < UINT8_MAX);
    references[slot]++;
}

void swap_release(uint64_t slot) {
    ASSERT(slot < slots && references[slot] > 0);
    if (--references[slot] > 0)
        return;
    used--;
    if (slot < search_from)
        search_from = slot;
}

static void transfer(enum block_direction direction, uint64_t slot, uint64_t frame) {
    uint64_t sector = first_sector + slot * SECTORS_PER_PAGE;
    if (!block_transfer(direction, sector, frame, PAGE_BYTES, BLOCK_WAIT_IDLE))
        panic("the disk failed at swap slot %lu", slot);
}

uint64_t swap_pages_read(void) {
    return pages_read;
}

uint64_t swap_pages_written(void) {
    return pages_written;
}

void swap_read(uint64_t slot, uint64_t frame) {
    pages_read++;
    transfer(BLOCK_READ, slot, frame);
}

void swap_write(uint64_t slot, uint64_t frame) {
    pages_written++;
    transfer(BLOCK_WRITE, slot, frame);
}
