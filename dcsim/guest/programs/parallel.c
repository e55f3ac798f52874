// Forks workers that compute, call the kernel and use memory, and waits for all. workers= rounds= work= pages=
//
// No worker hears of another, so what each of them leaves, and the sum, is the same however many run
// at once.
#include "guest.h"

#define WORKERS 32
#define STATUSES 64
#define WORDS_PER_PAGE (PAGE_BYTES / sizeof(uint64_t))

struct load {
    uint64_t rounds, work, pages;
    uint64_t *shared;  // pages that each worker has from its parent, and copies when it writes
};

static uint64_t compute(uint64_t state, uint64_t work) {
    for (uint64_t i = 0; i < work; i++)
        random_next(&state);
    return state;
}

// Memory that comes and goes within the round, and has to be zero when it comes.
static uint64_t use_fresh_memory(uint64_t state, uint64_t pages) {
    uint64_t *memory = map(pages * PAGE_BYTES);
    if (!memory)
        fail("parallel: no memory\n");
    for (uint64_t page = 0; page < pages; page++) {
        uint64_t *word = memory + page * WORDS_PER_PAGE;
        state = hash_word(state, *word);
        *word = state;
    }
    unmap(memory);
    return state;
}

static uint64_t change_shared(uint64_t *shared, uint64_t state, uint64_t pages) {
    uint64_t *word = shared + state % pages * WORDS_PER_PAGE;
    *word = hash_word(*word, state);
    return *word;
}

static int work(const struct load *load, uint64_t number) {
    uint64_t state = hash_word(HASH_START, number);
    for (uint64_t round = 0; round < load->rounds; round++) {
        state = compute(state | 1, load->work);
        if (load->pages) {
            state = use_fresh_memory(state, load->pages);
            state = change_shared(load->shared, state, load->pages);
        }
        state = hash_word(state, (uint64_t)process_id());
        yield();
    }
    return (int)(state % STATUSES);
}

int main(int argc, char **argv) {
    uint64_t workers = argument(argc, argv, "workers", 4), sum = 0;
    struct load load = {
        .rounds = argument(argc, argv, "rounds", 50),
        .work = argument(argc, argv, "work", 1000),
        .pages = argument(argc, argv, "pages", 4),
    };
    int ids[WORKERS];
    load.shared = map((load.pages + 1) * PAGE_BYTES);
    if (workers > WORKERS || !load.shared)
        fail("parallel: workers=%lu pages=%lu do not work\n", workers, load.pages);
    for (uint64_t page = 0; page < load.pages; page++)
        load.shared[page * WORDS_PER_PAGE] = page;
    for (uint64_t number = 0; number < workers; number++) {
        ids[number] = fork();
        if (ids[number] == 0)
            finish(work(&load, number));
    }
    for (uint64_t number = 0; number < workers; number++)
        sum = sum * STATUSES + (uint64_t)wait(ids[number]);
    print("result parallel workers=%lu rounds=%lu sum=%lu\n", workers, load.rounds, sum);
    return 0;
}
