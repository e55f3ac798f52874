// Lines about the run.
#include "statistics.h"

#include "hart.h"
#include "print.h"
#include "riscv.h"
#include "settings.h"
#include "steal.h"

static void print_lock(void) {
    struct lock_statistics sum = {0};
    for (int i = 0; i < hart_count; i++) {
        sum.taken += harts[i].lock.taken;
        sum.contended += harts[i].lock.contended;
        sum.spins += harts[i].lock.spins;
        sum.waits += harts[i].lock.waits;
        sum.kicks += harts[i].lock.kicks;
    }
    print("kernel: lock taken=%lu contended=%lu spins=%lu waits=%lu kicks=%lu\n", sum.taken,
          sum.contended, sum.spins, sum.waits, sum.kicks);
}

static void print_harts(void) {
    uint64_t now = time_now();
    for (int i = 0; i < hart_count; i++) {
        const struct hart *hart = &harts[i];
        uint64_t sleeping = hart->idle_since ? now - hart->idle_since : 0;
        print("kernel: hart-%lu idle=%lu stolen=%lu\n", hart->id, hart->idle_ticks + sleeping,
              stolen_ticks(hart));
    }
}

void statistics_print(void) {
    if (settings.lock_statistics)
        print_lock();
    if (settings.hart_statistics)
        print_harts();
}
