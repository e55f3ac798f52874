// Sv39 page tables.
#include "page_table.h"

#include <stddef.h>

#include "frames.h"
#include "layout.h"

#define USER_ENTRIES (ENTRIES / 2)  // of the root; the other half is the kernel's

static unsigned table_index(uint64_t address, int level) {
    return address >> (12 + 9 * level) & (ENTRIES - 1);
}

static entry_t *table_of(entry_t entry) {
    return to_pointer(entry_frame(entry));
}

static uint64_t span_of(int level) {
    return PAGE_BYTES << 9 * level;
}

// Follows one table entry down, making the table where there is none.
static entry_t *descend(entry_t *entry) {
    if (*entry == 0) {
        uint64_t frame = frame_allocate_zeroed();
        if (!frame)
            return NULL;
        *entry = entry_make(frame, ENTRY_VALID);
    }
    return table_of(*entry);
}

entry_t *page_table_entry(entry_t *root, uint64_t address, int level) {
    entry_t *table = root;
    for (int at = LEVELS - 1; table && at > level; at--)
        table = descend(&table[table_index(address, at)]);
    return table ? &table[table_index(address, level)] : NULL;
}

// Goes down from the root to the page entry of `address`, or to the empty one on the way to it;
// the level at which it stands.
static int walk(entry_t *root, uint64_t address, entry_t **entry) {
    entry_t *table = root;
    for (int level = LEVELS - 1;; level--) {
        *entry = &table[table_index(address, level)];
        if (level == 0 || **entry == 0 || entry_is_leaf(**entry))
            return level;
        table = table_of(**entry);
    }
}

struct page page_table_find(entry_t *root, uint64_t address) {
    entry_t *entry;
    int level = walk(root, address, &entry);
    if (level > 0 && *entry == 0)
        return (struct page){NULL, page_down(address), PAGE_BYTES};
    uint64_t bytes = span_of(level);
    return (struct page){entry, address & ~(bytes - 1), bytes};
}

bool page_table_next(entry_t *root, struct page *page) {
    uint64_t address = page->address + page->bytes;
    while (address < USER_TOP) {
        entry_t *entry;
        uint64_t bytes = span_of(walk(root, address, &entry));
        address &= ~(bytes - 1);
        if (*entry) {
            *page = (struct page){entry, address, bytes};
            return true;
        }
        address += bytes;  // nothing below: go on behind what this entry spans
    }
    return false;
}

uint64_t page_table_count(entry_t *root) {
    uint64_t tables = 1;
    for (int i = 0; i < USER_ENTRIES; i++) {
        if (!root[i])
            continue;
        tables++;
        for (int j = 0; j < ENTRIES; j++)
            tables += table_of(root[i])[j] && !entry_is_leaf(table_of(root[i])[j]);
    }
    return tables;
}

static void free_table(entry_t *table, int entries, int level) {
    for (int i = 0; level > 0 && i < entries; i++) {
        if (table[i])
            free_table(table_of(table[i]), ENTRIES, level - 1);
    }
    frame_release(to_physical(table));
}

void page_table_free(entry_t *root) {
    free_table(root, USER_ENTRIES, LEVELS - 1);
}
