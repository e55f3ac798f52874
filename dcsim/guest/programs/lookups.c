// Looks up records at random in a table, and changes some. size= bytes steps= writes=8 seed= wait=0|1
//
// Every page of the table is written first. With less memory than `size` and a swap area, how often
// a step waits for the disk depends on how much of the table is in memory: as with a database and
// its cache. Every `writes`-th step changes its record; 0: none does. wait=1: between filling and
// looking up, it waits for a typed line.
#include "guest.h"

#define RECORD_WORDS 8
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))

static void fill(uint64_t *table, uint64_t pages) {
    for (uint64_t page = 0; page < pages; page++)
        table[page * PAGE_WORDS] = hash_word(HASH_START, page);
}

static void wait_for_line(void) {
    char byte = 0;
    print("lookups filled\n");
    while (byte != '\r' && byte != '\n' && console_read(&byte, 1) == 1)
        ;
}

static uint64_t *record_at(uint64_t *table, uint64_t pages, uint64_t place) {
    uint64_t page = place % pages, record = place / pages % (PAGE_WORDS / RECORD_WORDS);
    return table + page * PAGE_WORDS + record * RECORD_WORDS;
}

int main(int argc, char **argv) {
    uint64_t pages = argument(argc, argv, "size", 1048576) / PAGE_BYTES;
    uint64_t steps = argument(argc, argv, "steps", 10000);
    uint64_t writes = argument(argc, argv, "writes", 8);
    uint64_t seed = argument(argc, argv, "seed", 1), hash = HASH_START;
    uint64_t *table = pages ? map(pages * PAGE_BYTES) : NULL;
    if (!table)
        fail("lookups: no room for %lu pages\n", pages);
    fill(table, pages);
    if (argument(argc, argv, "wait", 0))
        wait_for_line();
    for (uint64_t step = 1; step <= steps; step++) {
        uint64_t *record = record_at(table, pages, random_next(&seed));
        hash = hash_word(hash, *record);
        if (writes && step % writes == 0)
            *record = hash;
    }
    print("result lookups pages=%lu steps=%lu hash=%016lx\n", pages, steps, hash);
    return 0;
}
