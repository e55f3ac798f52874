// Page faults of processes: demand zero, demand loading, copy on write, swapping in, and the A and
// D bits on machines that leave them to software (Svade).
#include "fault.h"

#include "frames.h"
#include "large_pages.h"
#include "layout.h"
#include "memory.h"
#include "print.h"
#include "replace.h"
#include "riscv.h"
#include "swap.h"
#include "translations.h"

// One fault takes at most two tables and one page.
#define FRAMES_PER_FAULT LEVELS

static uint64_t served, major_faults;

static bool allowed(const struct area *area, enum access access) {
    static const uint64_t needed[] = {
        [ACCESS_READ] = ENTRY_READ,
        [ACCESS_WRITE] = ENTRY_WRITE,
        [ACCESS_EXECUTE] = ENTRY_EXECUTE,
    };
    return area->permissions & needed[access];
}

// Copies the part of the area's image that falls into `page`, which is zero-filled only around it.
static void load_image(const struct area *area, uint64_t page, uint8_t *content) {
    uint64_t from = page > area->image_address ? page : area->image_address;
    uint64_t image_end = area->image_address + area->image_bytes;
    uint64_t to = image_end < page + PAGE_BYTES ? image_end : page + PAGE_BYTES;
    if (!area->image || from >= to) {
        memset(content, 0, PAGE_BYTES);
        return;
    }
    memset(content, 0, from - page);
    memcpy(content + (from - page), area->image + (from - area->image_address), to - from);
    memset(content + (to - page), 0, page + PAGE_BYTES - to);
}

static entry_t load_fresh(const struct area *area, uint64_t page) {
    uint64_t frame = frame_allocate();
    load_image(area, page, to_pointer(frame));
    if (area->permissions & ENTRY_EXECUTE)
        code_changed();
    return entry_make(frame, ENTRY_VALID | ENTRY_USER | area->permissions);
}

// A page saved by eviction was changed by definition, whoever wrote it.
static entry_t load_swapped(const struct area *area, entry_t entry) {
    uint64_t frame = frame_allocate(), slot = entry_slot(entry);
    swap_read(slot, frame);
    swap_release(slot);
    major_faults++;
    uint64_t kept = (entry & ENTRY_WRITTEN) | ENTRY_CHANGED;
    return entry_make(frame, ENTRY_VALID | ENTRY_USER | area->permissions | kept);
}

// The frames of a copy of the page; 0 when there are none, which only happens to a large one.
static uint64_t copy_page(const struct page *page, uint64_t shared) {
    if (page_is_large(page))
        return large_page_copy(shared);
    uint64_t frame = frame_allocate();
    memcpy(to_pointer(frame), to_pointer(shared), PAGE_BYTES);
    return frame;
}

// A store to a page shared since a fork: the last one to hold it keeps it, others copy.
static bool unshare(const struct page *page, entry_t *entry) {
    uint64_t shared = entry_frame(*entry);
    if (frame_references(shared) > 1) {
        uint64_t frame = copy_page(page, shared);
        if (!frame)
            return false;
        frames_release(shared, page->bytes);
        *entry = entry_make(frame, *entry & ((1ul << ENTRY_FRAME_SHIFT) - 1));
    }
    *entry |= ENTRY_WRITE;
    return true;
}

// Makes a changed entry visible. The fence for one page covers its leaf entry only: where a table on
// the way is new too, it takes the one for the whole address space.
static void publish(const struct address_space *space, uint64_t page, bool new_table) {
    if (new_table)
        flush_space(space->asid);
    else
        flush_page(page, space->asid);
}

enum fault_result fault_serve(struct address_space *space, uint64_t address, enum access access) {
    const struct area *area = address_space_find(space, address);
    if (!area || !allowed(area, access))
        return FAULT_FORBIDDEN;
    if (!frames_reserve(FRAMES_PER_FAULT))
        return FAULT_NO_MEMORY;
    struct page page = page_table_find(space->root, address);
    bool new_table = !page.entry;
    if (new_table)
        page.entry = page_table_entry(space->root, address, 0);
    entry_t entry = entry_read(page.entry);
    if (entry == 0)
        entry = load_fresh(area, page.address);
    else if (entry_is_swapped(entry))
        entry = load_swapped(area, entry);
    if (access == ACCESS_WRITE && !(entry & ENTRY_WRITE) && !unshare(&page, &entry))
        return FAULT_NO_MEMORY;
    entry |= ENTRY_ACCESSED | (access == ACCESS_WRITE ? ENTRY_DIRTY : 0);
    entry_set(page.entry, entry);
    publish(space, page.address, new_table);
    served++;
    return FAULT_SERVED;
}

uint64_t faults_major(void) {
    return major_faults;
}

uint64_t faults_minor(void) {
    return served - major_faults;
}
