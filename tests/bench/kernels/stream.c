// a[i] = a[i] * 3 + b[i] over two arrays of 16 KiB.

#include "harness.h"

enum { COUNT = (16 << 10) / 8 };

u64 kernel(u64 repeat) {
    volatile u64 *a = (u64 *)arena, *b = (u64 *)(arena + 0x9000);
    for (u64 i = 0; i < COUNT; i++) a[i] = i, b[i] = i * i;
    for (u64 round = 0; round < repeat * 256; round++)
        for (u64 i = 0; i < COUNT; i++) a[i] = a[i] * 3 + b[i];
    u64 sum = 0;
    for (u64 i = 0; i < COUNT; i++) sum += a[i];
    return sum;
}
