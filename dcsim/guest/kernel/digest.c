// The user digest: FNV-1a with 64-bit words instead of bytes, in ascending address order.
//
// The shift after each multiplication brings the upper bits down: without it, a word's upper bits
// would never influence the lower bits of the hash.
#include "digest.h"

#include <stdbool.h>

#include "address_space.h"
#include "layout.h"
#include "print.h"
#include "stopwatch.h"
#include "swap.h"

#define HASH_START 0xcbf29ce484222325ul
#define HASH_PRIME 0x100000001b3ul
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))

static uint64_t fold(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * HASH_PRIME;
    return hash ^ hash >> 32;
}

// The content of the page behind an entry. A swapped page, never a large one, is read into a buffer of
// our own: to load it properly could evict another page, which would be absurd at the end of a process.
static const uint64_t *page_content(entry_t entry) {
    static _Alignas(PAGE_BYTES) uint64_t buffer[PAGE_WORDS];
    if (entry & ENTRY_VALID)
        return to_pointer(entry_frame(entry));
    swap_read(entry_slot(entry), to_physical(buffer));
    return buffer;
}

static uint64_t fold_page(uint64_t hash, uint64_t address, const uint64_t *content) {
    hash = fold(hash, address);
    for (uint64_t i = 0; i < PAGE_WORDS; i++)
        hash = fold(hash, content[i]);
    return hash;
}

static bool is_empty(const uint64_t *content) {
    for (uint64_t i = 0; i < PAGE_WORDS; i++)
        if (content[i])
            return false;
    return true;
}

struct digest {
    uint64_t hash, pages;
};

// Memory that was asked for in large pages may lie in small ones on another machine. So what counts of
// it is each small page, or part of a large one, that holds anything.
static void fold_pages(struct digest *digest, const struct page *page, bool only_filled) {
    const uint64_t *content = page_content(entry_read(page->entry));
    for (uint64_t offset = 0; offset < page->bytes; offset += PAGE_BYTES) {
        const uint64_t *part = content + offset / sizeof *content;
        if (only_filled && is_empty(part))
            continue;
        digest->hash = fold_page(digest->hash, page->address + offset, part);
        digest->pages++;
    }
}

void digest_print(struct process *process) {
    struct digest digest = {.hash = HASH_START};
    struct page page = {0};
    if (stopwatch_hides(process))
        return;
    while (page_table_next(process->space.root, &page)) {
        if (!entry_was_written(*page.entry))
            continue;
        const struct area *area = address_space_find(&process->space, page.address);
        fold_pages(&digest, &page, area && area->large);
    }
    print("digest %s#%u %016lx pages=%lu\n", process->program->name, process->instance, digest.hash,
          digest.pages);
}
