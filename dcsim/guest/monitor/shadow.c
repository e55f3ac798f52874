#include "shadow.h"

#include "layout.h"
#include "memory.h"
#include "paging.h"
#include "riscv.h"
#include "vcpu.h"
#include "window.h"

#define SPACES 32
#define FRAMES 256
// A space with the window's tables in it, and the tables of a page.
#define MOST_FRAMES_AT_ONCE 5

// Of an entry that names a table, a bit for software: below are parts of the guest's large pages, which a
// change of any address in them changes.
#define ENTRY_HAS_LARGE (1ul << 8)

#define VIEW_STATUS (STATUS_USER_MEMORY | STATUS_EXECUTE_READS)
#define VIEW_SUPERVISOR 1ul

static struct space {
    uint64_t *root;  // NULL: not in use
    uint64_t translation;
    uint64_t view;
} spaces[SPACES];

static FRESH _Alignas(PAGE_BYTES) uint64_t frames[FRAMES][ENTRIES];
static unsigned frames_used;

static uint64_t present_view(void) {
    return (vcpu.status & VIEW_STATUS) | (vcpu.supervisor ? VIEW_SUPERVISOR : 0);
}

static uint64_t asid_of(const struct space *space) {
    return (uint64_t)(space - spaces) + 1;
}

static uint64_t guest_asid_of(const struct space *space) {
    return space->translation >> SATP_ASID_SHIFT & 0xffff;
}

// A frame of zeros; there are enough (`present_space`).
static uint64_t *take_frame(void) {
    uint64_t *frame = frames[frames_used++];
    memset(frame, 0, PAGE_BYTES);
    return frame;
}

static uint64_t *table_below(uint64_t *entry) {
    return (uint64_t *)entry_address(*entry);
}

// The leaf entry for an address, with all tables on the way.
static uint64_t *leaf_entry(uint64_t *table, uint64_t address, uint64_t mark) {
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        uint64_t *entry = &table[entry_index(address, level)];
        if (!*entry)
            *entry = entry_make((uint64_t)take_frame(), ENTRY_VALID);
        *entry |= mark;
        table = table_below(entry);
    }
    return &table[entry_index(address, 0)];
}

static void map_window(uint64_t *root) {
    for (unsigned page = 0; page < WINDOW_PAGES; page++)
        *leaf_entry(root, window_address(page), 0) = window_entry(page);
}

static struct space *find_space(uint64_t translation, uint64_t view) {
    for (struct space *space = spaces; space < spaces + SPACES; space++) {
        if (space->root && space->translation == translation && space->view == view)
            return space;
    }
    return NULL;
}

static struct space *find_unused(void) {
    for (struct space *space = spaces; space < spaces + SPACES; space++) {
        if (!space->root)
            return space;
    }
    shadow_forget_all();
    return spaces;
}

static struct space *make_space(uint64_t translation, uint64_t view) {
    struct space *space = find_unused();
    *space = (struct space){take_frame(), translation, view};
    map_window(space->root);
    return space;
}

// The space for the guest's present state, with frames at hand for one more page.
static struct space *present_space(void) {
    if (FRAMES - frames_used < MOST_FRAMES_AT_ONCE)
        shadow_forget_all();
    struct space *space = find_space(vcpu.translation, present_view());
    return space ? space : make_space(vcpu.translation, present_view());
}

uint64_t shadow_satp(void) {
    const struct space *space = present_space();
    return SATP_SV39 | asid_of(space) << SATP_ASID_SHIFT | (uint64_t)space->root >> 12;
}

void shadow_fill(uint64_t address, uint64_t page, uint64_t rights, bool large) {
    struct space *space = present_space();
    uint64_t flags = ENTRY_VALID | ENTRY_USER | ENTRY_ACCESSED | ENTRY_DIRTY | rights;
    *leaf_entry(space->root, address, large ? ENTRY_HAS_LARGE : 0) = entry_make(page, flags);
    fence_page(address, asid_of(space));
}

void shadow_forget_all(void) {
    memset(spaces, 0, sizeof spaces);
    frames_used = 0;
    fence_everything();
}

// Its frames are found again when everything is forgotten.
static void forget_space(struct space *space) {
    space->root = NULL;
    fence_space(asid_of(space));
}

void shadow_forget_space(uint64_t asid) {
    for (struct space *space = spaces; space < spaces + SPACES; space++) {
        if (space->root && guest_asid_of(space) == asid)
            forget_space(space);
    }
}

static void forget_page(struct space *space, uint64_t address) {
    uint64_t *table = space->root;
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        uint64_t *entry = &table[entry_index(address, level)];
        if (!*entry)
            return;
        if (*entry & ENTRY_HAS_LARGE) {
            forget_space(space);
            return;
        }
        table = table_below(entry);
    }
    table[entry_index(address, 0)] = 0;
    fence_page(address, asid_of(space));
}

void shadow_forget_page(uint64_t address, uint64_t asid) {
    if (window_covers(address))
        return;
    for (struct space *space = spaces; space < spaces + SPACES; space++) {
        if (space->root && (asid == EVERY_ASID || guest_asid_of(space) == asid))
            forget_page(space, address);
    }
}
