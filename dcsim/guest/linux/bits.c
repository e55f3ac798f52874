// Counts, turns and mixes bits.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

static uint64_t reversed(uint64_t value) {
    uint64_t result = 0;
    for (int i = 0; i < 64; i++)
        result |= (value >> i & 1) << (63 - i);
    return result;
}

int main(void) {
    uint64_t value = 0x9e3779b97f4a7c15;
    for (int i = 0; i < 20; i++) {
        value = value * 6364136223846793005u + 1442695040888963407u;
        unsigned turn = i * 7 % 63 + 1;
        uint64_t turned = value << turn | value >> (64 - turn);
        printf("%016" PRIx64 " %d %d %d %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", value,
               __builtin_popcountll(value), __builtin_clzll(value | 1), __builtin_ctzll(value | 1ull << 63), turned,
               (uint64_t)__builtin_bswap64(value), reversed(value), value & ~turned);
    }
    struct {
        unsigned a : 3, b : 7, c : 22;
        signed d : 5;
    } fields = {.a = 5, .b = 100, .c = 0x2aaaaa, .d = -9};
    fields.b += 40, fields.d -= 8;
    printf("%u %u %u %d\n", fields.a, fields.b, fields.c, fields.d);
    return 0;
}
