// Processes.
#include "process.h"

#include "digest.h"
#include "float_context.h"
#include "frames.h"
#include "layout.h"
#include "memory.h"
#include "network.h"
#include "power.h"
#include "print.h"
#include "replace.h"
#include "schedule.h"
#include "stopwatch.h"
#include "switch.h"
#include "system_calls.h"

#define PROCESS_PAGES (page_up(sizeof(struct process)) / PAGE_BYTES)
_Static_assert(sizeof(struct process) <= PAGE_BYTES, "a process record is one page");

// Its record, its stack, its root table and a few to spare.
#define FRAMES_PER_PROCESS 4

// At the far end of each kernel stack; overwritten: the stack was too small.
#define STACK_MARK 0x6b63617473646e65ul

struct process *processes[PROCESS_LIMIT];
static struct process *first_process;

static int free_slot(void) {
    int slot = 0;
    while (slot < PROCESS_LIMIT && processes[slot])
        slot++;
    return slot;
}

static void make_stack(struct process *process) {
    process->stack = to_pointer(frame_allocate());
    *(uint64_t *)process->stack = STACK_MARK;
    process->frame.kernel_stack = (uint64_t)process->stack + PAGE_BYTES;
    process->context.stack_pointer = process->frame.kernel_stack;
    process->context.return_address = (uint64_t)process_begin;
    process->context.saved[0] = (uint64_t)&process->frame;  // where process_begin expects it
}

// A process with an empty address space, not yet ready; NULL when there is no room.
static struct process *create(struct process *parent) {
    int slot = free_slot();
    if (slot == PROCESS_LIMIT || !frames_reserve(FRAMES_PER_PROCESS))
        return NULL;
    struct process *process = to_pointer(frame_allocate_zeroed());
    make_stack(process);
    address_space_create(&process->space, (uint64_t)slot + 1);
    process->id = parent ? ++parent->last_child : 1;
    process->parent = parent;
    process->wake_time = UINT64_MAX;
    processes[slot] = process;
    return process;
}

// Gives the process its name: `program`, counted per program.
static void rename(struct process *process, const struct program *program) {
    process->program = program;
    process->instance = program_next_instance(program);
}

void process_bury(struct process *process) {
    ASSERT(process->state == ENDED && *(uint64_t *)process->stack == STACK_MARK);
    for (int slot = 0; slot < PROCESS_LIMIT; slot++) {
        if (processes[slot] == process)
            processes[slot] = NULL;
    }
    frame_release(to_physical(process->stack));
    frame_release(to_physical(process));
}

// Takes back a process that never became ready.
static void abandon(struct process *process) {
    address_space_destroy(&process->space);
    process->state = ENDED;
    process_bury(process);
}

int process_spawn(const struct program *program, const struct arguments *arguments) {
    struct process *process = create(current());
    if (!process)
        return ERROR_NO_MEMORY;
    if (!program_load(program, arguments, process)) {
        abandon(process);
        return ERROR_NO_MEMORY;
    }
    rename(process, program);
    make_ready(process);
    return process->id;
}

void process_start_first(const char *name, const char *const *words) {
    const struct program *program = program_find(name);
    if (!program)
        panic("no program %s", name);
    static struct arguments arguments;
    for (int i = 0; words[i]; i++) {
        if (!arguments_add(&arguments, words[i]))
            panic("too many arguments");
    }
    if (process_spawn(program, &arguments) < 0)
        panic("no memory for %s", name);
    first_process = processes[0];
}

int process_fork(void) {
    struct process *parent = current();
    if (!frames_reserve(page_table_count(parent->space.root) + FRAMES_PER_PROCESS))
        return ERROR_NO_MEMORY;
    struct process *child = create(parent);
    if (!child)
        return ERROR_NO_MEMORY;
    address_space_fork(&parent->space, &child->space);
    uint64_t stack = child->frame.kernel_stack;
    child->frame = parent->frame;
    child->frame.kernel_stack = stack;
    ARGUMENT(&child->frame, 0) = 0;
    float_copy(parent, child);
    rename(child, parent->program);
    make_ready(child);
    return child->id;
}

// The new program is loaded beside the old one, so that a failure leaves the caller as it was. The
// two take turns with the address-space identifier; destroying the old space flushes it.
int process_exec(const struct program *program, const struct arguments *arguments) {
    struct process *process = current();
    static struct process fresh;  // too large for the kernel stack
    memset(&fresh, 0, sizeof fresh);
    if (!frames_reserve(1) || !address_space_create(&fresh.space, process->space.asid))
        return ERROR_NO_MEMORY;
    if (!program_load(program, arguments, &fresh)) {
        address_space_destroy(&fresh.space);
        return ERROR_NO_MEMORY;
    }
    digest_print(process);
    address_space_destroy(&process->space);
    process->space = fresh.space;
    fresh.frame.kernel_stack = process->frame.kernel_stack;
    process->frame = fresh.frame;
    process->skips_illegal = false;
    float_forget(process);
    rename(process, program);
    return (int)ARGUMENT(&process->frame, 0);
}

// An ended child of the current process, that with the given id or any; NULL when there is none.
// `exists` tells whether waiting makes sense.
static struct process *ended_child(int id, bool *exists) {
    *exists = false;
    for (int slot = 0; slot < PROCESS_LIMIT; slot++) {
        struct process *process = processes[slot];
        if (!process || process->parent != current() || (id && process->id != id))
            continue;
        if (process->state == ENDED)
            return process;
        *exists = true;
    }
    return NULL;
}

int process_wait(int id) {
    struct process *child;
    bool exists;
    while (!(child = ended_child(id, &exists))) {
        if (!exists)
            return ERROR_NO_ENTRY;
        wait_on(current());
    }
    int status = (int)child->status;
    process_bury(child);
    return status;
}

// Children that have ended are buried, the others will not be asked for.
static void disown_children(struct process *parent) {
    for (int slot = 0; slot < PROCESS_LIMIT; slot++) {
        struct process *process = processes[slot];
        if (!process || process->parent != parent)
            continue;
        process->parent = NULL;
        if (process->state == ENDED)
            process_bury(process);
    }
}

noreturn void process_exit(unsigned status) {
    struct process *process = current();
    digest_print(process);
    if (process == first_process) {
        network_finish();
        power_off(status);
    }
    disown_children(process);
    address_space_destroy(&process->space);
    float_forget(process);
    stopwatch_forget(process);
    process->status = status;
    schedule_end();
}
