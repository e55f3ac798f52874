// Forks children that write pages they share with their parent, and waits for each. n= pages= large=1
#include "guest.h"

#define STATUSES 64

// The child's work: changes every page and returns a status that depends on what it found there.
static int child_work(uint64_t *memory, uint64_t pages, uint64_t number) {
    uint64_t sum = number;
    for (uint64_t page = 0; page < pages; page++) {
        uint64_t *word = memory + page * (PAGE_BYTES / sizeof *memory);
        sum += *word;
        *word = number;
    }
    return (int)(sum % STATUSES);
}

static void fill(uint64_t *memory, uint64_t pages) {
    for (uint64_t page = 0; page < pages; page++)
        memory[page * (PAGE_BYTES / sizeof *memory)] = page;
}

int main(int argc, char **argv) {
    uint64_t children = argument(argc, argv, "n", 10);
    uint64_t pages = argument(argc, argv, "pages", 8);
    uint64_t sum = 0;
    bool large = argument(argc, argv, "large", 0);
    uint64_t bytes = (pages + 1) * PAGE_BYTES;
    uint64_t *memory = large ? map_large(bytes) : map(bytes);
    if (!memory)
        fail("forkwait: no room for %lu pages\n", pages);
    fill(memory, pages);
    for (uint64_t number = 0; number < children; number++) {
        int child = fork();
        if (child == 0)
            finish(child_work(memory, pages, number));
        int status = wait(child);
        if (status < 0)
            fail("forkwait: child %lu failed: %d\n", number, status);
        sum += (uint64_t)status;
    }
    print("result forkwait n=%lu pages=%lu sum=%lu\n", children, pages, sum);
    return 0;
}
