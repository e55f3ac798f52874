// Large pages: 2 MiB of adjacent frames behind one page-table entry.
//
// They are there from the moment they are mapped, never evicted, and shared by a fork like any other
// page; who writes to a shared one first gets a copy of all of it.
#pragma once

#include "address_space.h"

// New zero-filled memory of large pages; its address, or 0 when there is not enough memory in one
// piece: memory never used, or given back by another large page.
uint64_t large_pages_map(struct address_space *space, uint64_t bytes);

// The frames of a new large page with the content of the one at `frame`; 0 when there are none.
uint64_t large_page_copy(uint64_t frame);
