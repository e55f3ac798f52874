// A fence for the whole address space, then one access that finds its translation gone.

#include "harness.h"

u64 kernel(u64 repeat) {
    volatile u64 *cell = (u64 *)arena;
    u64 sum = 0;
    for (u64 i = 0; i < repeat * 65536; i++) {
        asm volatile("sfence.vma" ::: "memory");
        sum += *cell;
    }
    return sum;
}
