// The frame that every benchmark kernel runs in: S-mode, Sv39 with 4 KiB pages, interrupts off.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

// The two arrays of `alias` lie exactly this far apart.
enum { ALIAS_DISTANCE = 8 << 20 };

// The start of 32 MiB of memory that no code or table uses, mapped like everything else.
extern u8 arena[] __attribute__((aligned(4096)));

// What a kernel does `repeat` times; the result is printed, so that no work can be left out.
u64 kernel(u64 repeat);

// Runs `user_loop(count)` in U-mode until it returns.
void run_in_user_mode(u64 count);
