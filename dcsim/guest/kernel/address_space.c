// The memory of one process.
#include "address_space.h"

#include "frames.h"
#include "hart.h"
#include "kernel_map.h"
#include "layout.h"
#include "riscv.h"
#include "swap.h"
#include "translations.h"

static bool has_asids;

// satp keeps only the identifier bits that the machine implements. Sixty-four processes need seven.
void address_spaces_start(void) {
    if (hypervisor_present) {
        has_asids = true;
        return;
    }
    uint64_t kernel_satp = CSR_READ(satp);
    CSR_WRITE(satp, kernel_satp | SATP_ASID_MASK);
    uint64_t kept = (CSR_READ(satp) & SATP_ASID_MASK) >> SATP_ASID_SHIFT;
    CSR_WRITE(satp, kernel_satp);
    fence_everything();
    has_asids = (kept & 0x7f) == 0x7f;
}

bool address_space_create(struct address_space *space, uint64_t asid) {
    *space = (struct address_space){
        .root = kernel_map_new_root(),
        .asid = has_asids ? asid : 0,
        .next_mapping = USER_MAPPINGS,
    };
    return space->root != NULL;
}

// A swapped page gives back its slot, a resident one its frame.
static void page_release(const struct page *page) {
    entry_t entry = entry_read(page->entry);
    if (entry & ENTRY_VALID)
        frames_release(entry_frame(entry), page->bytes);
    else if (entry_is_swapped(entry))
        swap_release(entry_slot(entry));
}

// Empties a page's entry and gives back what it holds. The caller flushes.
static void page_drop(const struct page *page) {
    page_release(page);
    entry_set(page->entry, 0);
}

void address_space_leave(void) {
    if (!this_hart->in_use)
        return;
    if (hypervisor_present)
        hypervisor_use_root(0, 0);
    else
        CSR_WRITE(satp, SATP_SV39 | to_physical(kernel_root) >> 12);
    this_hart->in_use = NULL;
}

void address_space_destroy(struct address_space *space) {
    struct page page = {0};
    while (page_table_next(space->root, &page)) {
        if (hypervisor_present)
            page_release(&page);  // the entries go with their tables, all at once
        else
            page_drop(&page);
    }
    if (this_hart->in_use == space)
        address_space_leave();
    flush_space(space->asid);
    page_table_free(space->root);
    space->root = NULL;
}

void address_space_use(const struct address_space *space) {
    if (this_hart->in_use == space)
        return;
    uint64_t root = to_physical(space->root);
    if (hypervisor_present)
        hypervisor_use_root(root, space->asid);
    else
        CSR_WRITE(satp, SATP_SV39 | space->asid << SATP_ASID_SHIFT | root >> 12);
    if (!has_asids)
        fence_everything();
    if (several_harts)
        translations_catch_up(space->asid);
    this_hart->in_use = space;
}

// Both sides lose the right to write: the next store of either finds out whether the page is still
// shared. What the parent wrote counts as written by the parent only.
static void share_page(const struct page *page, entry_t *child) {
    entry_t parent = entry_read(page->entry);
    if (parent & ENTRY_VALID) {
        if (parent & ENTRY_DIRTY)
            parent |= ENTRY_WRITTEN | ENTRY_CHANGED;
        parent &= ~(ENTRY_WRITE | ENTRY_DIRTY);
        entry_set(page->entry, parent);
        frame_retain(entry_frame(parent));
    } else {
        swap_retain(entry_slot(parent));
    }
    entry_set(child, parent & ~ENTRY_WRITTEN);
}

void address_space_fork(struct address_space *parent, struct address_space *child) {
    child->next_mapping = parent->next_mapping;
    child->area_count = parent->area_count;
    child->heap = parent->heap;
    for (int i = 0; i < parent->area_count; i++)
        child->areas[i] = parent->areas[i];
    struct page page = {0};
    while (page_table_next(parent->root, &page))
        share_page(&page, page_table_entry(child->root, page.address, page_is_large(&page)));
    flush_space(parent->asid);
}

struct area *address_space_find(struct address_space *space, uint64_t address) {
    for (int i = 0; i < space->area_count; i++) {
        struct area *area = &space->areas[i];
        if (address >= area->start && address < area->end)
            return area;
    }
    return NULL;
}

// Unmapped areas leave a record without permissions, which is used again.
struct area *address_space_add(struct address_space *space, struct area area) {
    int index = 0;
    while (index < space->area_count && space->areas[index].permissions)
        index++;
    if (index == AREA_LIMIT)
        return NULL;
    if (index == space->area_count)
        space->area_count++;
    space->areas[index] = area;
    return &space->areas[index];
}

static uint64_t round_up(uint64_t value, uint64_t unit) {
    return (value + unit - 1) & ~(unit - 1);
}

// Mappings never reuse addresses, with a page between them that always faults.
static struct area *add_mapping(struct address_space *space, uint64_t bytes, uint64_t page_bytes) {
    uint64_t start = round_up(space->next_mapping, page_bytes);
    uint64_t top = USER_TOP - USER_STACK_BYTES - 2 * PAGE_BYTES;
    if (bytes == 0 || bytes > USER_TOP || start > top || round_up(bytes, page_bytes) > top - start)
        return NULL;
    struct area *area = address_space_add(space, (struct area){
        .start = start,
        .end = start + round_up(bytes, page_bytes),
        .permissions = ENTRY_READ | ENTRY_WRITE,
    });
    if (area)
        space->next_mapping = area->end + PAGE_BYTES;
    return area;
}

uint64_t address_space_map(struct address_space *space, uint64_t bytes) {
    const struct area *area = add_mapping(space, bytes, PAGE_BYTES);
    return area ? area->start : 0;
}

struct area *address_space_add_large(struct address_space *space, uint64_t bytes) {
    struct area *area = add_mapping(space, bytes, MEGAPAGE_BYTES);
    if (area)
        area->large = true;
    return area;
}

bool address_space_unmap(struct address_space *space, uint64_t address) {
    struct area *area = address_space_find(space, address);
    if (!area || area->start != address || address < USER_MAPPINGS)
        return false;
    struct page page = {.address = address};
    while (page_table_next(space->root, &page) && page.address < area->end) {
        page_drop(&page);
        flush_later(page.address, space->asid);
    }
    flush_now();
    *area = (struct area){0};
    return true;
}
