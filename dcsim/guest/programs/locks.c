// Forks workers that stay long in the kernel, where there is room for one. workers= rounds= hold= think=
//
// A round of a worker is `hold` turns of a loop inside the kernel and `think` of one outside.
#include "guest.h"
#include "repeat.h"

#define WORKERS 32

static int work(uint64_t rounds, uint64_t hold, uint64_t think) {
    uint64_t wrong = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        wrong += nano_loop(NANO_EMPTY, hold, NULL) != (long)hold;
        REPEAT(think, (void)0);
    }
    return wrong != 0;
}

int main(int argc, char **argv) {
    uint64_t workers = argument(argc, argv, "workers", 4);
    uint64_t rounds = argument(argc, argv, "rounds", 1000);
    uint64_t hold = argument(argc, argv, "hold", 1000);
    uint64_t think = argument(argc, argv, "think", hold);
    uint64_t wrong = 0;
    int ids[WORKERS];
    if (workers > WORKERS)
        fail("locks: workers=%lu do not work\n", workers);
    for (uint64_t number = 0; number < workers; number++) {
        ids[number] = fork();
        if (ids[number] == 0)
            finish(work(rounds, hold, think));
    }
    for (uint64_t number = 0; number < workers; number++)
        wrong += wait(ids[number]) != 0;
    print("result locks workers=%lu rounds=%lu wrong=%lu\n", workers, rounds, wrong);
    return wrong != 0;
}
