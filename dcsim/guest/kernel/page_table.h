// Sv39 page tables: three levels of 512 entries.
//
//   virtual address  63..39 sign | 38..30 level 2 | 29..21 level 1 | 20..12 level 0 | 11..0 offset
//   entry            53..10 frame number | 9..8 for software | D A G U X W R V
//
// Software keeps two bits per page of a process:
//   WRITTEN   this process has written the page at some time: it belongs to the user digest
//   CHANGED   the content is not what the area would load afresh (it was written, maybe by an
//             ancestor before a fork): evicting the page must save it
// A store sets D; D counts as both until it is folded into them.
//
// An entry with V = 0 but SWAPPED holds the swap slot of a page that was evicted.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t entry_t;

#define ENTRY_VALID (1ul << 0)
#define ENTRY_READ (1ul << 1)
#define ENTRY_WRITE (1ul << 2)
#define ENTRY_EXECUTE (1ul << 3)
#define ENTRY_USER (1ul << 4)
#define ENTRY_GLOBAL (1ul << 5)
#define ENTRY_ACCESSED (1ul << 6)
#define ENTRY_DIRTY (1ul << 7)
#define ENTRY_WRITTEN (1ul << 8)
#define ENTRY_CHANGED (1ul << 9)
#define ENTRY_FRAME_SHIFT 10

#define ENTRY_SWAPPED ENTRY_CHANGED  // with V = 0
#define ENTRIES 512
#define LEVELS 3

static inline uint64_t entry_frame(entry_t entry) {
    return entry >> ENTRY_FRAME_SHIFT << 12;
}
static inline entry_t entry_make(uint64_t frame, uint64_t flags) {
    return frame >> 12 << ENTRY_FRAME_SHIFT | flags;
}
static inline bool entry_is_swapped(entry_t entry) {
    return !(entry & ENTRY_VALID) && entry & ENTRY_SWAPPED;
}
static inline uint64_t entry_slot(entry_t entry) {
    return entry >> ENTRY_FRAME_SHIFT;
}
static inline entry_t entry_make_swapped(uint64_t slot, uint64_t written) {
    return slot << ENTRY_FRAME_SHIFT | ENTRY_SWAPPED | written;
}

// Has this process written the page behind `entry`, resident or swapped?
static inline bool entry_was_written(entry_t entry) {
    return entry & ENTRY_WRITTEN || (entry & ENTRY_VALID && entry & ENTRY_DIRTY);
}

// The entry of `address` at `level` (0: a 4 KiB page); NULL when there is none. Missing tables on
// the way are made when `create`, which takes at most `LEVELS - 1` frames; they stay until the
// address space goes.
entry_t *page_table_entry(entry_t *root, uint64_t address, int level, bool create);

// The first non-empty page entry of the user half at or after *address, which is moved to it;
// NULL when there is none.
entry_t *page_table_next(entry_t *root, uint64_t *address);

// How many tables, the root included, the user half takes.
uint64_t page_table_count(entry_t *root);

// Frees the tables of the user half and the root. All page entries must be empty.
void page_table_free(entry_t *root);
