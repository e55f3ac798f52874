// Follows a random cycle of pointers through memory. size= bytes stride= steps= seed= pages=large
//
// It does nothing but loads that depend on the one before. The cycle visits every slot once before
// it repeats (Sattolo's shuffle), so the working set is all of `size`, at `stride` bytes per slot.
// With stride=4096 every step needs another page, and with pages=large one of 2 MiB.
#include "guest.h"

// Slot i holds the index of its successor, in the first word of its `stride` bytes.
static uint64_t *slot(uint8_t *memory, uint64_t stride, uint64_t index) {
    return (uint64_t *)(memory + index * stride);
}

// Sattolo: swapping each slot with an earlier one, never with itself, leaves one single cycle.
static void make_cycle(uint8_t *memory, uint64_t stride, uint64_t count, uint64_t seed) {
    for (uint64_t i = 0; i < count; i++)
        *slot(memory, stride, i) = i;
    for (uint64_t i = count - 1; i > 0; i--) {
        uint64_t other = random_next(&seed) % i;
        uint64_t held = *slot(memory, stride, i);
        *slot(memory, stride, i) = *slot(memory, stride, other);
        *slot(memory, stride, other) = held;
    }
}

static uint8_t *memory_of(uint64_t bytes, bool large) {
    return large ? map_large(bytes) : map(bytes);
}

int main(int argc, char **argv) {
    uint64_t stride = argument(argc, argv, "stride", 64) & ~7ul;
    uint64_t size = argument(argc, argv, "size", 65536);
    uint64_t steps = argument(argc, argv, "steps", 100000);
    uint64_t count = stride ? size / stride : 0;
    bool large = text_equal(argument_text(argc, argv, "pages", "small"), "large");
    uint8_t *memory = count < 2 ? NULL : memory_of(count * stride, large);
    if (!memory)
        fail("chase: size=%lu stride=%lu do not work\n", size, stride);
    make_cycle(memory, stride, count, argument(argc, argv, "seed", 1));
    uint64_t at = 0;
    for (uint64_t step = 0; step < steps; step++)
        at = *slot(memory, stride, at);
    print("result chase slots=%lu steps=%lu end=%lu\n", count, steps, at);
    return 0;
}
