// Writes and checks more memory than there may be, so that pages must be replaced. size= passes=
//
// Give the machine less memory than `size` and a swap area: kernel.swap_pages=.
#include "guest.h"

static uint64_t pattern(uint64_t page, uint64_t pass) {
    return hash_word(hash_word(HASH_START, page), pass);
}

// One pass over all pages: checks what the last pass left and writes what the next one expects.
static uint64_t one_pass(uint64_t *memory, uint64_t pages, uint64_t pass) {
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < pages; page++) {
        uint64_t *word = memory + page * (PAGE_BYTES / sizeof *memory) + page % 512;
        wrong += *word != (pass ? pattern(page, pass - 1) : 0);
        *word = pattern(page, pass);
    }
    return wrong;
}

int main(int argc, char **argv) {
    uint64_t pages = argument(argc, argv, "size", 1048576) / PAGE_BYTES;
    uint64_t passes = argument(argc, argv, "passes", 2);
    uint64_t *memory = map(pages * PAGE_BYTES);
    uint64_t wrong = 0;
    if (!memory)
        fail("swapper: no room for %lu pages\n", pages);
    for (uint64_t pass = 0; pass < passes; pass++)
        wrong += one_pass(memory, pages, pass);
    print("result swapper pages=%lu passes=%lu wrong=%lu\n", pages, passes, wrong);
    return wrong != 0;
}
