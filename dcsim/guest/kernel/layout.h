// Where everything lives, physical and virtual.
//
//   virtual (Sv39, 39 bits, sign-extended)
//   0x00_0000_0000   (not mapped: null pointers fault)
//   0x00_0001_0000   program text, constants, data, then the heap, growing upwards
//   0x10_0000_0000   memory mappings, growing upwards
//   0x3f_ffef_f000   stack, up to 1 MiB, growing downwards to ...
//   0x3f_ffff_f000   USER_TOP
//   ---------------- the gap of non-canonical addresses ----------------
//   0xffff_ffc0_0000_0000 + physical address: the kernel's own view of RAM, devices and itself
//
//   physical (the map of QEMU's `virt` machine; devices come from the device tree)
//   0x8000_0000      firmware; never touched
//   0x8020_0000      this kernel, at most 2 MiB, programs included
//   image_end        one struct frame per page, then pages for everybody
#pragma once

#define PAGE_BYTES 4096ul
#define MEGAPAGE_BYTES (512 * PAGE_BYTES)

#define KERNEL_OFFSET 0xffffffc000000000ul
#define KERNEL_PHYSICAL 0x80200000ul

#define USER_START 0x10000ul
#define USER_MAPPINGS 0x1000000000ul
#define USER_TOP 0x3ffffff000ul
#define USER_STACK_BYTES 0x100000ul

#ifndef __ASSEMBLER__
#include <stdint.h>

// Laid down by the linker script. Addresses, not variables: only `&` of them means anything.
extern char image_start[], constants_start[], data_start[], bss_start[], image_end[];

// The kernel's pointer to a physical address, and back.
static inline void *to_pointer(uint64_t physical) {
    return (void *)(physical + KERNEL_OFFSET);
}
static inline uint64_t to_physical(const void *pointer) {
    return (uint64_t)pointer - KERNEL_OFFSET;
}

static inline uint64_t page_down(uint64_t address) {
    return address & ~(PAGE_BYTES - 1);
}
static inline uint64_t page_up(uint64_t address) {
    return page_down(address + PAGE_BYTES - 1);
}
#endif
