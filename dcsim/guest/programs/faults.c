// Maps memory, touches every page of it and unmaps it again: page faults. n= pages=
#include "guest.h"

// Returns how many of the fresh pages were zero, as they must be.
static uint64_t touch(uint8_t *memory, uint64_t pages, uint64_t value) {
    uint64_t zero = 0;
    for (uint64_t page = 0; page < pages; page++) {
        uint64_t *word = (uint64_t *)(memory + page * PAGE_BYTES);
        zero += *word == 0;
        *word = value + page;
    }
    return zero;
}

int main(int argc, char **argv) {
    uint64_t rounds = argument(argc, argv, "n", 20);
    uint64_t pages = argument(argc, argv, "pages", 64);
    uint64_t zero = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        uint8_t *memory = map(pages * PAGE_BYTES);
        if (!memory)
            fail("faults: no room for %lu pages\n", pages);
        zero += touch(memory, pages, round + 1);
        if (unmap(memory) < 0)
            fail("faults: cannot unmap\n");
    }
    print("result faults n=%lu pages=%lu zero=%lu\n", rounds, pages, zero);
    return zero != rounds * pages;
}
