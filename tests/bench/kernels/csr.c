// Accesses to one S-mode control register, eight a turn.

#include "harness.h"

u64 kernel(u64 repeat) {
    u64 value = 0;
    for (u64 i = 0; i < repeat * 65536; i++)
        asm volatile("csrrw %0, sscratch, %0\n csrrw %0, sscratch, %0\n"
                     "csrrw %0, sscratch, %0\n csrrw %0, sscratch, %0\n"
                     "csrrw %0, sscratch, %0\n csrrw %0, sscratch, %0\n"
                     "csrrw %0, sscratch, %0\n csrrw %0, sscratch, %0\n"
                     : "+r"(value));
    return value;
}
