// Large pages.
//
// To fill one takes as long as hundreds of ordinary system calls, so interrupts may come in between.
#include "large_pages.h"

#include "frames.h"
#include "interrupts.h"
#include "layout.h"
#include "memory.h"
#include "replace.h"
#include "riscv.h"

// How much is filled between two moments at which interrupts may come.
#define PART_BYTES (16 * PAGE_BYTES)

static uint64_t allocate_zeroed(void) {
    uint64_t frame = frames_allocate_large();
    for (uint64_t part = 0; frame && part < MEGAPAGE_BYTES; part += PART_BYTES) {
        memset(to_pointer(frame + part), 0, PART_BYTES);
        interrupts_allow();
    }
    return frame;
}

uint64_t large_page_copy(uint64_t from) {
    uint64_t frame = frames_allocate_large();
    for (uint64_t part = 0; frame && part < MEGAPAGE_BYTES; part += PART_BYTES) {
        memcpy(to_pointer(frame + part), to_pointer(from + part), PART_BYTES);
        interrupts_allow();
    }
    return frame;
}

// Tables are reserved before the page, for which nobody's pages can be evicted.
static bool fill(struct address_space *space, const struct area *area) {
    for (uint64_t address = area->start; address < area->end; address += MEGAPAGE_BYTES) {
        entry_t *entry = frames_reserve(1) ? page_table_entry(space->root, address, 1) : NULL;
        uint64_t frame = entry ? allocate_zeroed() : 0;
        if (!frame)
            return false;
        entry_set(entry, entry_make(frame, ENTRY_VALID | ENTRY_USER | area->permissions));
    }
    return true;
}

// Where a hypervisor's frames lie scattered, small pages take the large ones' place. Here, too, nobody's
// pages are evicted.
static bool fill_small(struct address_space *space, const struct area *area) {
    uint64_t pages = (area->end - area->start) / PAGE_BYTES;
    if (frames_free() < pages + pages / ENTRIES + LEVELS)
        return false;
    for (uint64_t address = area->start; address < area->end; address += PAGE_BYTES) {
        entry_t *entry = page_table_entry(space->root, address, 0);
        uint64_t frame = frame_allocate_zeroed();
        entry_set(entry, entry_make(frame, ENTRY_VALID | ENTRY_USER | area->permissions));
    }
    return true;
}

uint64_t large_pages_map(struct address_space *space, uint64_t bytes) {
    const struct area *area = address_space_add_large(space, bytes);
    if (!area)
        return 0;
    uint64_t start = area->start;
    bool scattered = hypervisor_present && !hypervisor_large_pages;
    bool filled = scattered ? fill_small(space, area) : fill(space, area);
    if (!filled)
        address_space_unmap(space, start);
    flush_space(space->asid);
    return filled ? start : 0;
}
