// Sv39 page tables: three levels of 512 entries. An entry at level 0 is a page of 4 KiB; one at
// level 1 is a table, or a large page of 2 MiB.
//
//   virtual address  63..39 sign | 38..30 level 2 | 29..21 level 1 | 20..12 level 0 | 11..0 offset
//   entry            53..10 frame number | 9..8 for software | D A G U X W R V
//
// Software keeps two bits per page of a process:
//   WRITTEN   this process has written the page at some time: it belongs to the user digest
//   CHANGED   the content is not what the area would load afresh (it was written, maybe by an
//             ancestor before a fork): evicting the page must save it
// A store sets D; D counts as both until it is folded into them.
// Entries are read with entry_read and written with entry_set: with a hypervisor, a table holds the
// machine's addresses, and no change takes place before a flush.
//
// An entry with V = 0 but SWAPPED holds the swap slot of a page that was evicted.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"
#include "hypervisor.h"
#include "layout.h"
#include "riscv.h"

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

static inline entry_t entry_read(const entry_t *entry) {
    return hypervisor_present ? hypervisor_own_entry(*entry) : *entry;
}
static inline void entry_set(entry_t *entry, entry_t value) {
    if (hypervisor_present)
        hypervisor_set_entry(entry, value);
    else
        *entry = value;
}

// Other harts may have kept translations of this identifier (translations.h).
void translations_changed(uint64_t asid);

// Makes changed entries visible: that of one page, be it together with others, up to flush_now;
// that of one page; those of an address space.
static inline void flush_later(uint64_t address, uint64_t asid) {
    if (hypervisor_present) {
        hypervisor_flush_page(address, asid);
        return;
    }
    fence_page(address, asid);
    if (several_harts)
        translations_changed(asid);
}
static inline void flush_now(void) {
    if (hypervisor_present)
        hypervisor_commit();
}
static inline void flush_page(uint64_t address, uint64_t asid) {
    flush_later(address, asid);
    flush_now();
}
static inline void flush_space(uint64_t asid) {
    if (hypervisor_present) {
        hypervisor_flush_space(asid);
        hypervisor_commit();
        return;
    }
    fence_space(asid);
    if (several_harts)
        translations_changed(asid);
}

// Does the entry map a page, rather than name a table?
static inline bool entry_is_leaf(entry_t entry) {
    return entry & ENTRY_VALID && entry & (ENTRY_READ | ENTRY_WRITE | ENTRY_EXECUTE);
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

// A place in a page table where a page of `bytes`, at `address`, is or could be.
struct page {
    entry_t *entry;
    uint64_t address, bytes;
};

static inline bool page_is_large(const struct page *page) {
    return page->bytes > PAGE_BYTES;
}

// The entry of `address` at `level` (0: a page of 4 KiB, 1: one of 2 MiB), to be filled. Missing
// tables on the way are made, which takes at most `LEVELS - 1 - level` frames; they stay until the
// address space goes. NULL when there are no frames.
entry_t *page_table_entry(entry_t *root, uint64_t address, int level);

// The page that holds `address`. Its entry may be empty, and is NULL where a table is missing.
struct page page_table_find(entry_t *root, uint64_t address);

// Moves `page` on to the first page of the user half behind it whose entry is not empty; false when
// there is none. From a page of no bytes at an address it goes to the first at or behind that.
bool page_table_next(entry_t *root, struct page *page);

// How many tables, the root included, the user half takes.
uint64_t page_table_count(entry_t *root);

// Frees the tables of the user half and the root, with what the page entries say forgotten.
void page_table_free(entry_t *root);
