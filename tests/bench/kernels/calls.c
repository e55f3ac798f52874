// Indirect calls through a table, in an order that changes.

#include "harness.h"

typedef u64 (*step)(u64);

__attribute__((noinline)) static u64 add(u64 x) { return x + 0x9e3779b97f4a7c15ul; }
__attribute__((noinline)) static u64 rotate(u64 x) { return x << 13 | x >> 51; }
__attribute__((noinline)) static u64 scale(u64 x) { return x * 0xff51afd7ed558ccdul; }
__attribute__((noinline)) static u64 fold(u64 x) { return x ^ x >> 33; }

static step volatile table[8] = {add, rotate, scale, fold, rotate, add, fold, scale};

u64 kernel(u64 repeat) {
    u64 x = 1;
    for (u64 i = 0; i < repeat * 131072; i++) x = table[(x ^ i) & 7](x);
    return x;
}
