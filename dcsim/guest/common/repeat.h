// Loops to be measured.
#pragma once

#include <stdint.h>

// Does `work` so many times. A round costs two instructions beside it, whatever `work` is: the empty
// assembly keeps the compiler from unrolling the loop, or from leaving it out when it is empty.
#define REPEAT(rounds, work)                                    \
    for (uint64_t left_ = (rounds); left_; left_--) {           \
        __asm__ volatile("" : "+r"(left_));                     \
        work;                                                   \
    }
