// Page replacement by the clock algorithm: a hand goes round over the pages of all processes. A
// page used since the hand last came by (A set) loses A and stays; one not used is evicted. Large
// pages are never evicted.
#include "replace.h"

#include "address_space.h"
#include "balloon.h"
#include "frames.h"
#include "layout.h"
#include "process.h"
#include "riscv.h"
#include "swap.h"
#include "translations.h"

// One instruction needs up to four pages at once: two that it spans, two that its data spans. With
// fewer that can go than a few times that, processes would only evict each other's, for ever.
#define EVICTABLE_LEAST 16

static struct {
    int process;  // index into the process table
    struct page page;
} hand;

static struct address_space *space_under_hand(void) {
    return &processes[hand.process]->space;
}

// Clears bits of an entry. A hart that runs the process may be setting A and D in it.
static void clear_bits(entry_t *entry, entry_t bits) {
    if (!several_harts)
        entry_set(entry, entry_read(entry) & ~bits);
    else if (hypervisor_present)
        hypervisor_set_entry(entry, (entry_read(entry) & ~bits) | HYPERVISOR_KEEP_DIRTY);
    else
        __atomic_fetch_and(entry, ~bits, __ATOMIC_RELAXED);
}

static bool is_changed(entry_t entry) {
    return entry & (ENTRY_DIRTY | ENTRY_CHANGED);
}

// Takes an entry from the hart that may be using it; the entry as it was at the end. On one hart nobody
// uses it.
static entry_t withdraw(entry_t *entry) {
    if (several_harts) {
        clear_bits(entry, ENTRY_VALID);
        translations_flush_everywhere(space_under_hand(), hand.page.address);
    }
    return entry_read(entry) | ENTRY_VALID;
}

// Evicts a page. An unchanged one can be loaded afresh; a changed one is saved first. False when
// there is nowhere to save it.
static bool evict(entry_t *entry) {
    entry_t last = withdraw(entry), gone = 0;
    if (is_changed(last)) {
        uint64_t slot = swap_allocate();
        if (slot == SWAP_FULL) {
            entry_set(entry, last);
            flush_now();
            return false;
        }
        swap_write(slot, entry_frame(last));
        gone = entry_make_swapped(slot, entry_was_written(last) ? ENTRY_WRITTEN : 0);
    }
    entry_set(entry, gone);
    flush_page(hand.page.address, space_under_hand()->asid);
    frame_release(entry_frame(last));
    return true;
}

// Looks at the page under the hand; true when it was evicted. A hart that uses the page may go on without
// setting A again for a while: nothing depends on A but whose turn it is.
static bool visit(entry_t *entry) {
    if (!(*entry & ENTRY_VALID) || page_is_large(&hand.page))
        return false;
    if (!(*entry & ENTRY_ACCESSED))
        return evict(entry);
    clear_bits(entry, ENTRY_ACCESSED);
    flush_page(hand.page.address, space_under_hand()->asid);
    return false;
}

// Moves the hand to the next page of the same process; NULL when it has no more.
static entry_t *advance(void) {
    struct process *process = processes[hand.process];
    if (!process || !process->space.root)
        return NULL;
    return page_table_next(process->space.root, &hand.page) ? hand.page.entry : NULL;
}

// Turns the hand until one page is evicted. Twice round is enough: the first round takes A away.
static bool evict_one(void) {
    for (int turned = 0; turned <= 2 * PROCESS_LIMIT;) {
        entry_t *entry = advance();
        if (entry && visit(entry))
            return true;
        if (!entry) {
            hand.process = (hand.process + 1) % PROCESS_LIMIT;
            hand.page = (struct page){0};
            turned++;
        }
    }
    return false;
}

static uint64_t unchanged_pages(const struct process *process) {
    uint64_t pages = 0;
    struct page page = {0};
    while (page_table_next(process->space.root, &page))
        pages += *page.entry & ENTRY_VALID && !is_changed(*page.entry) && !page_is_large(&page);
    return pages;
}

// Can enough pages go? They are counted only when the swap area is nearly full, or when there is
// none: then only unchanged pages can.
static bool enough_evictable(void) {
    uint64_t pages = swap_free();
    for (int slot = 0; pages < EVICTABLE_LEAST && slot < PROCESS_LIMIT; slot++) {
        if (processes[slot] && processes[slot]->space.root)
            pages += unchanged_pages(processes[slot]);
    }
    return pages >= EVICTABLE_LEAST;
}

bool frames_replace(uint64_t frames) {
    while (frames_free() < frames) {
        if (!enough_evictable() || !evict_one())
            return false;
    }
    return true;
}

bool frames_reserve(uint64_t frames) {
    while (!frames_replace(frames)) {
        if (!balloon_give_way())
            return false;
    }
    return true;
}
