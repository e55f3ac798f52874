// Page replacement by the clock algorithm: a hand goes round over the pages of all processes. A
// page used since the hand last came by (A set) loses A and stays; one not used is evicted.
#include "replace.h"

#include "address_space.h"
#include "frames.h"
#include "layout.h"
#include "process.h"
#include "riscv.h"
#include "swap.h"

static struct {
    int process;  // index into the process table
    uint64_t address;
} hand;

// Evicts a page. An unchanged one can be loaded afresh; a changed one is saved first. False when
// there is nowhere to save it.
static bool evict(entry_t *entry) {
    uint64_t frame = entry_frame(*entry);
    entry_t gone = 0;
    if (*entry & (ENTRY_DIRTY | ENTRY_CHANGED)) {
        uint64_t slot = swap_allocate();
        if (slot == SWAP_FULL)
            return false;
        swap_write(slot, frame);
        gone = entry_make_swapped(slot, entry_was_written(*entry) ? ENTRY_WRITTEN : 0);
    }
    *entry = gone;
    flush_page(hand.address, processes[hand.process]->space.asid);
    frame_release(frame);
    return true;
}

// Looks at the page under the hand; true when it was evicted.
static bool visit(entry_t *entry) {
    if (!(*entry & ENTRY_VALID))
        return false;
    if (!(*entry & ENTRY_ACCESSED))
        return evict(entry);
    *entry &= ~ENTRY_ACCESSED;
    flush_page(hand.address, processes[hand.process]->space.asid);
    return false;
}

// Moves the hand to the next page of the same process; NULL when it has no more.
static entry_t *advance(void) {
    struct process *process = processes[hand.process];
    if (!process || !process->space.root)
        return NULL;
    hand.address += PAGE_BYTES;
    return page_table_next(process->space.root, &hand.address);
}

// Turns the hand until one page is evicted. Twice round is enough: the first round takes A away.
static bool evict_one(void) {
    for (int turned = 0; turned <= 2 * PROCESS_LIMIT;) {
        entry_t *entry = advance();
        if (entry && visit(entry))
            return true;
        if (!entry) {
            hand.process = (hand.process + 1) % PROCESS_LIMIT;
            hand.address = 0;
            turned++;
        }
    }
    return false;
}

bool frames_reserve(uint64_t frames) {
    while (frames_free() < frames) {
        if (!evict_one())
            return false;
    }
    return true;
}
