// Loops inside the kernel whose rounds a stopwatch measures: the operations by which virtualisation
// techniques differ most, after the nanobenchmarks of Adams and Agesen, "A Comparison of Software and
// Hardware Techniques for x86 Virtualization" (ASPLOS 2006).
#include "nano_loops.h"

#include <stddef.h>

#include "address_space.h"
#include "hart.h"
#include "machine.h"
#include "plic.h"
#include "privilege.h"
#include "repeat.h"
#include "sbi.h"
#include "schedule.h"
#include "system_calls.h"
#include "uart.h"

// Nothing else runs meanwhile.
#define ROUNDS_LIMIT (1ul << 28)

static int64_t loop_empty(uint64_t rounds, uint64_t address) {
    REPEAT(rounds, (void)0);
    return (int64_t)rounds;
}

static int64_t loop_io(uint64_t rounds, uint64_t address) {
    if (!machine.uart.address)
        return ERROR_NO_DEVICE;
    const volatile uint8_t *status = uart_status_register();
    REPEAT(rounds, (void)*status);
    return (int64_t)rounds;
}

// sscratch is zero as long as the kernel runs: see trap.S. So is what stands for it in user mode.
static int64_t loop_privileged_write(uint64_t rounds, uint64_t address) {
    if (kernel_in_user_mode)
        REPEAT(rounds, hypervisor_shared()->scratch = 0)
    else
        REPEAT(rounds, CSR_WRITE(sscratch, 0))
    return (int64_t)rounds;
}

__attribute__((noinline)) static void return_at_once(void) {
    __asm__ volatile("");
}

static int64_t loop_call(uint64_t rounds, uint64_t address) {
    REPEAT(rounds, return_at_once());
    return (int64_t)rounds;
}

// The compiler must not see where the pointer leads.
static int64_t loop_call_pointer(uint64_t rounds, uint64_t address) {
    void (*function)(void) = return_at_once;
    __asm__ volatile("" : "+r"(function));
    REPEAT(rounds, function());
    return (int64_t)rounds;
}

// Takes the right to write away and gives it back, as fork and the fault that follows do.
static int64_t loop_page_table(uint64_t rounds, uint64_t address) {
    const struct address_space *space = &current()->space;
    const struct area *area = address_space_find(&current()->space, address);
    entry_t *entry = area ? page_table_find(space->root, address).entry : NULL;
    if (!entry || !(*entry & ENTRY_VALID))
        return ERROR_ARGUMENT;
    entry_t before = entry_read(entry);
    REPEAT(rounds, (entry_set(entry, entry_read(entry) ^ ENTRY_WRITE),
                    flush_page(address, space->asid)));
    entry_set(entry, before);
    flush_page(address, space->asid);
    return (int64_t)rounds;
}

static int64_t loop_hypercall(uint64_t rounds, uint64_t address) {
    REPEAT(rounds, (void)sbi_version());
    return (int64_t)rounds;
}

static int64_t loop_controller(uint64_t rounds, uint64_t address) {
    const volatile uint32_t *threshold = plic_threshold_register();
    if (!threshold)
        return ERROR_NO_DEVICE;
    REPEAT(rounds, (void)*threshold);
    return (int64_t)rounds;
}

// Of no interrupt, which the controller passes over (PLIC specification, "Interrupt Completion").
static int64_t loop_completion(uint64_t rounds, uint64_t address) {
    volatile uint32_t *completion = plic_completion_register();
    if (!completion)
        return ERROR_NO_DEVICE;
    REPEAT(rounds, *completion = 0);
    return (int64_t)rounds;
}

static int64_t loop_interprocessor(uint64_t rounds, uint64_t address) {
    int64_t done = 0;
    REPEAT(rounds, done += hart_interrupt_and_wait());
    return done;
}

static int64_t (*const loops[NANO_LOOPS])(uint64_t rounds, uint64_t address) = {
    [NANO_EMPTY] = loop_empty,
    [NANO_IO] = loop_io,
    [NANO_PRIVILEGED_WRITE] = loop_privileged_write,
    [NANO_CALL] = loop_call,
    [NANO_CALL_POINTER] = loop_call_pointer,
    [NANO_PAGE_TABLE] = loop_page_table,
    [NANO_HYPERCALL] = loop_hypercall,
    [NANO_CONTROLLER] = loop_controller,
    [NANO_COMPLETION] = loop_completion,
    [NANO_INTERPROCESSOR] = loop_interprocessor,
};

int64_t call_nano_loop(const uint64_t *arguments) {
    uint64_t which = arguments[0], rounds = arguments[1];
    if (which >= NANO_LOOPS || rounds > ROUNDS_LIMIT)
        return ERROR_ARGUMENT;
    return loops[which](rounds, arguments[2]);
}
