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

// Follows one table entry down, making the table when allowed.
static entry_t *descend(entry_t *entry, bool create) {
    if (!(*entry & ENTRY_VALID)) {
        uint64_t frame = create ? frame_allocate_zeroed() : 0;
        if (!frame)
            return NULL;
        *entry = entry_make(frame, ENTRY_VALID);
    }
    return table_of(*entry);
}

entry_t *page_table_entry(entry_t *root, uint64_t address, int level, bool create) {
    entry_t *table = root;
    for (int at = LEVELS - 1; table && at > level; at--)
        table = descend(&table[table_index(address, at)], create);
    return table ? &table[table_index(address, level)] : NULL;
}

entry_t *page_table_next(entry_t *root, uint64_t *address) {
    while (*address < USER_TOP) {
        entry_t *table = root;
        for (int level = LEVELS - 1; level >= 0; level--) {
            entry_t *entry = &table[table_index(*address, level)];
            if (level == 0 && *entry)
                return entry;
            if (*entry == 0) {  // nothing below: go on behind what this entry spans
                uint64_t span = PAGE_BYTES << 9 * level;
                *address = (*address & ~(span - 1)) + span;
                break;
            }
            table = table_of(*entry);
        }
    }
    return NULL;
}

uint64_t page_table_count(entry_t *root) {
    uint64_t tables = 1;
    for (int i = 0; i < USER_ENTRIES; i++) {
        if (!root[i])
            continue;
        tables++;
        for (int j = 0; j < ENTRIES; j++)
            tables += table_of(root[i])[j] != 0;
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
