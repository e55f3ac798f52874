// The user digest: FNV-1a with 64-bit words instead of bytes, in ascending address order.
//
// The shift after each multiplication brings the upper bits down: without it, a word's upper bits
// would never influence the lower bits of the hash.
#include "digest.h"

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

// The content of the page behind an entry. A swapped page, never a large one, is read into a buffer of our own: to load
// it properly could evict another page, which would be absurd at the end of a process.
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

// A large page counts as the small ones that would fill its place.
static uint64_t fold_pages(uint64_t hash, const struct page *page) {
    const uint64_t *content = page_content(entry_read(page->entry));
    for (uint64_t offset = 0; offset < page->bytes; offset += PAGE_BYTES)
        hash = fold_page(hash, page->address + offset, content + offset / sizeof *content);
    return hash;
}

void digest_print(struct process *process) {
    uint64_t hash = HASH_START, pages = 0;
    struct page page = {0};
    if (stopwatch_hides(process))
        return;
    while (page_table_next(process->space.root, &page)) {
        if (!entry_was_written(*page.entry))
            continue;
        hash = fold_pages(hash, &page);
        pages += page.bytes / PAGE_BYTES;
    }
    print("digest %s#%u %016lx pages=%lu\n", process->program->name, process->instance, hash,
          pages);
}
