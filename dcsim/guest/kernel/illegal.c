// Illegal instructions of processes that want to survive them.
#include "illegal.h"

#include "schedule.h"
#include "user_memory.h"

// The two lowest bits of an instruction are set unless it is a short one.
static uint64_t instruction_bytes(uint16_t first_half) {
    return (first_half & 3) == 3 ? 4 : 2;
}

bool illegal_skip(struct process *process) {
    uint64_t *counter = &process->frame.program_counter;
    uint16_t first_half;
    if (!process->skips_illegal ||
        !copy_from_user(&process->space, &first_half, *counter, sizeof first_half))
        return false;
    *counter += instruction_bytes(first_half);
    process->skipped++;
    return true;
}

int64_t call_skip_illegal(const uint64_t *arguments) {
    struct process *process = current();
    uint64_t skipped = process->skipped;
    process->skips_illegal = true;
    process->skipped = 0;
    return (int64_t)skipped;
}
