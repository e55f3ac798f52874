// The memory of one process: a page table, and the areas that say what may be in it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "page_table.h"

#define AREA_LIMIT 32

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };

// A range of pages with one permission. Its pages come into being at the first access: from
// `image` as far as it goes, zeros behind that.
struct area {
    uint64_t start, end;     // whole pages
    uint64_t permissions;    // ENTRY_READ and so on
    const uint8_t *image;    // content, or NULL
    uint64_t image_address;  // where its first byte belongs
    uint64_t image_bytes;
    bool large;  // asked for in large pages, whatever it got
};

struct address_space {
    entry_t *root;
    uint64_t asid;
    uint64_t next_mapping;
    struct area areas[AREA_LIMIT];
    int area_count;
    int heap;  // index of the area that `grow` extends
};

// Finds out how many address-space identifiers the machine has.
void address_spaces_start(void);

// An empty address space. Its identifier must not be in use. False when there is no memory.
bool address_space_create(struct address_space *space, uint64_t asid);

// Gives back all pages and tables. The space may be the one in use.
void address_space_destroy(struct address_space *space);

// Makes `child`, freshly created, a copy of `parent`: pages are shared until one of them writes.
// Requires page_table_count(parent->root) reserved frames.
void address_space_fork(struct address_space *parent, struct address_space *child);

// Makes the hart translate by this space. Costs nothing when it already does.
void address_space_use(const struct address_space *space);

// Makes it translate by none.
void address_space_leave(void);

struct area *address_space_find(struct address_space *space, uint64_t address);
struct area *address_space_add(struct address_space *space, struct area area);

// New zero-filled memory: its address, or 0.
uint64_t address_space_map(struct address_space *space, uint64_t bytes);

// An area for new memory of large pages, on a boundary of theirs, with nothing in it yet; NULL when
// there is no room. See large_pages.h.
struct area *address_space_add_large(struct address_space *space, uint64_t bytes);

// Takes away the mapping that starts at `address`; false when there is none.
bool address_space_unmap(struct address_space *space, uint64_t address);
