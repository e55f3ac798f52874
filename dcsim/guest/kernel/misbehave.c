// What no kernel should do.
#include "misbehave.h"

#include "layout.h"
#include "machine.h"
#include "print.h"
#include "system_calls.h"

#define REGISTER_BYTES 0x200u  // of a virtio device: its registers and the start of its configuration
#define NOTIFY 0x50u
#define MULTIPLIER 6364136223846793005ul  // of Knuth's MMIX
#define INCREMENT 1442695040888963407ul

static uint32_t next(uint64_t *state) {
    *state = *state * MULTIPLIER + INCREMENT;
    return (uint32_t)(*state >> 32);
}

// Half of the numbers are small, as those that registers understand are.
static uint32_t any_number(uint64_t *state) {
    uint32_t number = next(state);
    return number & 1 ? number >> 1 : number >> 28;
}

// The devices are never right again: whoever waits for one of them waits for ever.
static void attack_devices(uint64_t rounds, uint64_t state) {
    for (uint64_t round = 0; round < rounds && machine.virtio_count > 0; round++) {
        uint64_t device = machine.virtio[next(&state) % (unsigned)machine.virtio_count].address;
        uint32_t offset = next(&state) % REGISTER_BYTES & ~3u;
        *(volatile uint32_t *)to_pointer(device + offset) = any_number(&state);
        *(volatile uint32_t *)to_pointer(device + NOTIFY) = next(&state) % 4;
    }
}

int64_t call_misbehave(const uint64_t *arguments) {
    switch (arguments[0]) {
    case MISBEHAVE_PANIC:
        panic("a program asked for it");
    case MISBEHAVE_SPIN:
        for (;;)
            __asm__ volatile("");
    case MISBEHAVE_DEVICES:
        attack_devices(arguments[1], arguments[2]);
        return 0;
    default:
        return ERROR_ARGUMENT;
    }
}
