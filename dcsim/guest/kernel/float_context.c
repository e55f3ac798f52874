// Floating-point registers. The kernel itself is built without floating point.
#include "float_context.h"

#include "privilege.h"
#include "schedule.h"

// In float_context.S; the registers must be open.
void float_registers_save(struct float_registers *to);
void float_registers_load(const struct float_registers *from);

static uint64_t state_of(const struct process *process) {
    return process->frame.status & STATUS_FLOAT_MASK;
}

static void set_state(struct process *process, uint64_t state) {
    process->frame.status = (process->frame.status & ~STATUS_FLOAT_MASK) | state;
}

// The registers of this hart and the saved copy are the same.
static void now_here(struct process *process) {
    this_hart->float_owner = process;
    process->float_hart = this_hart;
}

bool float_first_use(struct process *process) {
    if (state_of(process) != STATUS_FLOAT_OFF)
        return false;
    process->floats = (struct float_registers){0};
    set_state(process, STATUS_FLOAT_CLEAN);
    return true;
}

// Only the current process can be dirty: the hart still holds its values.
void float_leave(struct process *process) {
    if (state_of(process) != STATUS_FLOAT_DIRTY)
        return;
    float_registers_open();
    float_registers_save(&process->floats);
    set_state(process, STATUS_FLOAT_CLEAN);
    now_here(process);
}

// Nothing to load when this hart had the process's values last, and no other process's since.
void float_enter(struct process *process) {
    if (state_of(process) != STATUS_FLOAT_CLEAN ||
        (this_hart->float_owner == process && process->float_hart == this_hart))
        return;
    float_registers_open();
    float_registers_load(&process->floats);
    now_here(process);
}

void float_copy(struct process *parent, struct process *child) {
    float_leave(parent);
    set_state(child, state_of(parent));
    child->floats = parent->floats;
}

void float_forget(struct process *process) {
    process->float_hart = NULL;
}
