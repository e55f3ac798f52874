// A pointer chase over 1 MiB, one pointer a 64-byte line, in one long cycle.

#include "harness.h"

enum { LINES = (1 << 20) / 64 };

u64 kernel(u64 repeat) {
    u32 *order = (u32 *)(arena + (4 << 20));
    u64 seed = 88172645463325252ul;
    for (u32 i = 0; i < LINES; i++) order[i] = i;
    for (u32 i = LINES - 1; i > 0; i--) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        u32 j = (u32)(seed % i), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (u32 i = 0; i < LINES; i++)
        *(void **)(arena + order[i] * 64ul) = arena + order[(i + 1) % LINES] * 64ul;
    void **here = (void **)(arena + order[0] * 64ul);
    for (u64 step = 0; step < repeat * 262144; step++) here = *here;
    return (u64)here;
}
