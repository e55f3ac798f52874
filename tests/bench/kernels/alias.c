// A copy between two arrays of 8 MiB that lie exactly 8 MiB apart: every pair of accesses falls
// into the same slot of a translation cache that is indexed by low page-number bits.

#include "harness.h"

enum { COUNT = ALIAS_DISTANCE / 8 };

u64 kernel(u64 repeat) {
    volatile u64 *from = (u64 *)arena, *to = (u64 *)(arena + ALIAS_DISTANCE);
    for (u64 i = 0; i < COUNT; i += 64) from[i] = i;
    for (u64 round = 0; round < repeat; round++)
        for (u64 i = 0; i < COUNT; i += 2) {
            to[i] = from[i] + round;
            to[i + 1] = from[i + 1];
        }
    u64 sum = 0;
    for (u64 i = 0; i < COUNT; i += 64) sum += to[i];
    return sum;
}
