// Where everything lies, in the monitor's own memory and in its guest's.
//
//   the monitor's            the guest's
//   0x8000_0000                             firmware; never touched
//   0x8020_0000                             this monitor, at most 2 MiB, page tables included
//   0x8040_0000              0x8000_0000    the guest's memory; its device tree first, where a machine
//                                           has its firmware
//   0x8060_0000              0x8020_0000    the guest's kernel, or another monitor
//   end of memory            4 MiB less
//
//   virtual, while the guest runs: the guest's own, with two pages of the monitor's among them
//   (window.h); while the monitor runs: its memory at its physical addresses, and the same two pages.
#pragma once

#define PAGE_BYTES 4096ul
#define MEMORY_START 0x80000000ul
#define IMAGE_START 0x80200000ul
#define GUEST_OFFSET 0x400000ul  // the monitor's address of guest memory, less the guest's own

#ifndef __ASSEMBLER__
// Laid down by the linker script. Addresses, not variables: only `&` of them means anything.
extern char image_start[], loaded_end[];

// For variables that are written before they are read: they are not zero at first.
#define FRESH __attribute__((section(".bss.fresh")))
#endif
