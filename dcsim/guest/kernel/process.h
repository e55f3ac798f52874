// Processes: who they are, how they come and go.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "address_space.h"
#include "program.h"
#include "switch.h"

#define PROCESS_LIMIT 64

// What a trap saves of a process; trap.S knows this layout.
struct trap_frame {
    uint64_t program_counter;
    uint64_t registers[31];  // x1..x31
    uint64_t status;
    uint64_t kernel_stack;   // its top, for the next trap
    struct hart *hart;       // which the process runs on
};

// x10..x17, a0..a7
#define ARGUMENT(frame, number) ((frame)->registers[9 + (number)])
#define STACK_POINTER(frame) ((frame)->registers[1])

struct float_registers {
    uint64_t f[32];
    uint64_t control;
};

enum process_state {
    READY,    // in the ready queue
    RUNNING,
    WAITING,  // on `channel`, or for `wake_time`
    ENDED,    // has a status that nobody has asked for yet
};

struct process {
    struct trap_frame frame;  // first: trap.S finds it through sscratch
    struct context context;
    struct float_registers floats;
    enum process_state state;
    int id;                    // n: the parent's n-th child
    int last_child;            // the id given last
    const struct program *program;
    unsigned instance;         // this is the n-th process of that program
    struct process *parent;    // NULL: nobody will ask for the status
    unsigned status;
    const void *channel;
    uint64_t wake_time;        // on the time counter; UINT64_MAX: none
    const struct hart *timed_by;  // whose timer is set to it
    struct process *next;      // in the ready queue
    uint8_t *stack;
    bool skips_illegal;        // illegal instructions do not end it
    uint64_t skipped;          // how many did not, since it last asked
    const struct hart *float_hart;  // which loaded or saved its floating-point registers last
    struct address_space space;
};

extern struct process *processes[PROCESS_LIMIT];

// Creates the process that everything else descends from; the machine powers off with its status.
void process_start_first(const char *program, const char *const *arguments);

// The system calls of the same names. Results are ids, statuses or (negative) errors. Ids count per
// parent: those of a common counter would depend on who forks first, and ids end up in user memory.
int process_fork(void);
int process_spawn(const struct program *program, const struct arguments *arguments);
int process_exec(const struct program *program, const struct arguments *arguments);
int process_wait(int id);

// Ends the current process.
noreturn void process_exit(unsigned status);

// Frees what is left of a process nobody waits for. Called on another stack than its own.
void process_bury(struct process *process);
