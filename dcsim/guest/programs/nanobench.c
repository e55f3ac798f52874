// Measures single operations of a kernel and its processor. op= one of them or all, rounds= report=0
//
// The operations are those by which virtualisation techniques differ most, after Adams and Agesen,
// "A Comparison of Software and Hardware Techniques for x86 Virtualization" (ASPLOS 2006), and each is
// the body of a loop. The kernel measures and prints: a line `nano <op> ...` with the time of the loop
// and that of the same loop without its body. The result tells how many rounds really took place.
//
// With report=0 nothing is measured or printed but the result, and nothing happens behind the loop:
// no digest either. Two such runs of one operation differ by what the further rounds cost.
#include "guest.h"
#include "repeat.h"

#define WARM_UP 16
#define LINE_BYTES 224

// An encoding whose bits are all ones is illegal by definition.
#define ILLEGAL __asm__ volatile(".4byte 0xffffffff")

static uint8_t *memory;   // of the operations that need some
static uint64_t touched;  // pages of it

static uint64_t user_empty(uint64_t rounds) {
    REPEAT(rounds, (void)0);
    return rounds;
}

static uint64_t kernel_empty(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_EMPTY, rounds, NULL);
}

static int own_id;

static void ask_id(uint64_t rounds) {
    own_id = process_id();
}

static uint64_t system_call(uint64_t rounds) {
    uint64_t right = 0;
    REPEAT(rounds, right += process_id() == own_id);
    return right;
}

static uint64_t io(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_IO, rounds, NULL);
}

static uint64_t hypercall(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_HYPERCALL, rounds, NULL);
}

static uint64_t interrupt_controller(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_CONTROLLER, rounds, NULL);
}

static uint64_t interrupt_completion(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_COMPLETION, rounds, NULL);
}

// Another process has the other hart, which is on its processor when it is interrupted.
static void occupy_other_hart(uint64_t rounds) {
    if (fork() == 0) {
        for (;;)
            REPEAT(WARM_UP, (void)0);
    }
    sleep_ms(1);
}

static uint64_t interprocessor_interrupt(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_INTERPROCESSOR, rounds, NULL);
}

static uint64_t privileged_write(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_PRIVILEGED_WRITE, rounds, NULL);
}

static uint64_t call_return(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_CALL, rounds, NULL);
}

static uint64_t call_pointer(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_CALL_POINTER, rounds, NULL);
}

static void map_fresh(uint64_t rounds) {
    memory = map(rounds * PAGE_BYTES);
    touched = 0;
    if (!memory)
        fail("nanobench: no room for %lu pages\n", rounds);
}

// Reads only: a page that was never written costs the digest nothing.
static uint64_t page_fault(uint64_t rounds) {
    uint64_t zero = 0;
    REPEAT(rounds, zero += memory[touched++ * PAGE_BYTES] == 0);
    return zero;
}

static void skip_from_now_on(uint64_t rounds) {
    skip_illegal();
}

static uint64_t illegal(uint64_t rounds) {
    REPEAT(rounds, ILLEGAL);
    return (uint64_t)skip_illegal();
}

// The question how many were skipped is part of the loop's price.
static uint64_t illegal_empty(uint64_t rounds) {
    REPEAT(rounds, (void)0);
    skip_illegal();
    return rounds;
}

static void map_one(uint64_t rounds) {
    map_fresh(1);
    *memory = 1;
}

static uint64_t page_table_change(uint64_t rounds) {
    return (uint64_t)nano_loop(NANO_PAGE_TABLE, rounds, memory);
}

static bool fork_and_wait_once(void) {
    int child = fork();
    if (child == 0)
        finish(0);
    return wait(child) == 0;
}

static uint64_t fork_and_wait(uint64_t rounds) {
    uint64_t well = 0;
    REPEAT(rounds, well += fork_and_wait_once());
    return well;
}

// Page faults leave page tables behind, which a fork would copy; an illegal instruction may leave
// floating point on: so these come after what they would make dearer.
static const struct operation {
    const char *name;
    void (*prepare)(uint64_t rounds);  // what is not measured; NULL: nothing
    uint64_t (*run)(uint64_t rounds);  // returns how many rounds there were
    uint64_t (*empty)(uint64_t rounds);
} operations[] = {
    {"syscall", ask_id, system_call, user_empty},
    {"io", NULL, io, kernel_empty},
    {"hypercall", NULL, hypercall, kernel_empty},
    {"interrupt-controller", NULL, interrupt_controller, kernel_empty},
    {"privileged-write", NULL, privileged_write, kernel_empty},
    {"callret", NULL, call_return, kernel_empty},
    {"callret-pointer", NULL, call_pointer, kernel_empty},
    {"forkwait", NULL, fork_and_wait, user_empty},
    {"pagefault", map_fresh, page_fault, user_empty},
    {"ptemod", map_one, page_table_change, kernel_empty},
    {"illegal", skip_from_now_on, illegal, illegal_empty},
    {"interrupt-completion", NULL, interrupt_completion, kernel_empty},
    {"interprocessor-interrupt", occupy_other_hart, interprocessor_interrupt, kernel_empty},
};

// Of them, those that need more than one hart: they take place when they are asked for by name.
#define OPERATIONS_OF_ONE (OPERATIONS - 1)

#define OPERATIONS (sizeof operations / sizeof *operations)

static uint64_t measured(const struct operation *operation, uint64_t rounds) {
    operation->empty(WARM_UP);
    stopwatch(STOPWATCH_START, 0, NULL);
    operation->empty(rounds);
    stopwatch(STOPWATCH_STOP_EMPTY, 0, NULL);
    stopwatch(STOPWATCH_START, 0, NULL);
    uint64_t done = operation->run(rounds);
    stopwatch(STOPWATCH_STOP, rounds, operation->name);
    return done;
}

// Returns how many rounds there were. Without a report the stopwatch of the warm-up is never stopped.
static uint64_t run(const struct operation *operation, uint64_t rounds, bool report) {
    if (operation->prepare)
        operation->prepare(WARM_UP + rounds);
    stopwatch(STOPWATCH_START, 0, NULL);
    operation->run(WARM_UP);
    if (!report)
        return operation->run(rounds);
    stopwatch(STOPWATCH_STOP_EMPTY, 0, NULL);
    uint64_t done = measured(operation, rounds);
    if (memory)
        unmap(memory);
    memory = NULL;
    return done;
}

static bool is_wanted(const struct operation *operation, const char *name) {
    bool is_of_all = operation < operations + OPERATIONS_OF_ONE && text_equal(name, "all");
    return is_of_all || text_equal(name, operation->name);
}

int main(int argc, char **argv) {
    uint64_t rounds = argument(argc, argv, "rounds", 100), failed = 0;
    bool report = argument(argc, argv, "report", 1);
    const char *name = argument_text(argc, argv, "op", "all");
    char line[LINE_BYTES];
    size_t length = 0;
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (!is_wanted(&operations[i], name))
            continue;
        uint64_t done = run(&operations[i], rounds, report);
        length += format(line + length, sizeof line - length, " %s=%lu", operations[i].name, done);
        failed += done != rounds;
    }
    if (length == 0 || rounds == 0)
        fail("nanobench: op=%s rounds=%lu do not work\n", name, rounds);
    print("result nanobench%s\n", line);
    return failed != 0;
}
