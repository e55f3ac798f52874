// The stopwatch. It counts cycles where the machine has one counter of them, else ticks of the clock.
//
// What it adds to a time is the same for the loop alone and for the loop with its work: it goes away
// in the difference.
#include "stopwatch.h"

#include "machine.h"
#include "print.h"
#include "riscv.h"
#include "schedule.h"
#include "system_calls.h"
#include "timer.h"
#include "user_memory.h"

#define NAME_BYTES 32
#define THOUSAND 1000

static const struct process *owner;  // NULL: stopped
static uint64_t started;             // what the counter said
static uint64_t empty;               // the time of the loop alone

// Each hart counts its own, and the owner may come to another.
static bool counts_cycles(void) {
    return machine.has_cycle_counter && !several_harts;
}

static uint64_t count(void) {
    return counts_cycles() ? CSR_READ(cycle) : time_now();
}

static int64_t start(void) {
    if (owner)
        return ERROR_ARGUMENT;
    owner = current();
    timer_pause();
    started = count();
    return 0;
}

static void stop(void) {
    owner = NULL;
    timer_resume();
}

// The time of one round is printed in thousandths.
static void report(const char *name, uint64_t rounds, uint64_t passed) {
    uint64_t work = passed > empty ? passed - empty : 0;
    uint64_t each = work * THOUSAND / rounds;
    print("nano %s rounds=%lu %s=%lu empty=%lu each=%lu.%03lu\n", name, rounds,
          counts_cycles() ? "cycles" : "ticks", passed, empty, each / THOUSAND,
          each % THOUSAND);
}

int64_t call_stopwatch(const uint64_t *arguments) {
    uint64_t now = count(), action = arguments[0], rounds = arguments[1];
    char name[NAME_BYTES];
    if (action == STOPWATCH_START)
        return start();
    if (owner != current())
        return ERROR_ARGUMENT;
    stop();
    if (action == STOPWATCH_STOP_EMPTY) {
        empty = now - started;
        return 0;
    }
    if (rounds == 0 || !copy_text_from_user(&current()->space, name, arguments[2], sizeof name))
        return ERROR_ARGUMENT;
    report(name, rounds, now - started);
    return 0;
}

bool stopwatch_hides(const struct process *process) {
    return owner && (process == owner || process->parent == owner);
}

void stopwatch_forget(const struct process *process) {
    if (owner == process)
        stop();
}
