// Sv39 page tables.
#include "page_table.h"

#include <stddef.h>

#include "frames.h"
#include "layout.h"

#define USER_ENTRIES (ENTRIES / 2)  // of the root; the other half is the kernel's

static unsigned table_index(uint64_t address, int level) {
    return address >> (12 + 9 * level) & (ENTRIES - 1);
}

static entry_t *table_below(const entry_t *entry) {
    return to_pointer(entry_frame(entry_read(entry)));
}

static uint64_t span_of(int level) {
    return PAGE_BYTES << 9 * level;
}

// Makes a table below an empty entry; false when there is no frame.
static bool make_table(entry_t *entry) {
    uint64_t frame = hypervisor_present ? frame_allocate() : frame_allocate_zeroed();
    if (!frame)
        return false;
    if (hypervisor_present)
        hypervisor_link_table(entry, entry_make(frame, ENTRY_VALID));
    else
        *entry = entry_make(frame, ENTRY_VALID);
    return true;
}

// Follows one table entry down, making the table where there is none.
static entry_t *descend(entry_t *entry) {
    return *entry || make_table(entry) ? table_below(entry) : NULL;
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
        table = table_below(*entry);
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

// Goes down from the root once for every table, and through its entries one by one.
bool page_table_next(entry_t *root, struct page *page) {
    uint64_t address = page->address + page->bytes;
    while (address < USER_TOP) {
        entry_t *entry;
        int level = walk(root, address, &entry);
        uint64_t bytes = span_of(level);
        uint64_t table_end = (address | (span_of(level + 1) - 1)) + 1;
        uint64_t end = table_end < USER_TOP ? table_end : USER_TOP;
        address &= ~(bytes - 1);
        for (; address < end && *entry == 0; entry++)
            address += bytes;
        if (address < end && (level == 0 || entry_is_leaf(*entry))) {
            *page = (struct page){entry, address, bytes};
            return true;
        }
    }
    return false;
}

uint64_t page_table_count(entry_t *root) {
    uint64_t tables = 1;
    for (int i = 0; i < USER_ENTRIES; i++) {
        if (!root[i])
            continue;
        tables++;
        const entry_t *table = table_below(&root[i]);
        for (int j = 0; j < ENTRIES; j++)
            tables += table[j] && !entry_is_leaf(table[j]);
    }
    return tables;
}

static void free_table(entry_t *table, int entries, int level) {
    for (int i = 0; level > 0 && i < entries; i++) {
        if (table[i] && !entry_is_leaf(table[i]))
            free_table(table_below(&table[i]), ENTRIES, level - 1);
    }
    frame_release(to_physical(table));
}

void page_table_free(entry_t *root) {
    free_table(root, USER_ENTRIES, LEVELS - 1);
    if (hypervisor_present)
        hypervisor_drop_root(to_physical(root));
}
