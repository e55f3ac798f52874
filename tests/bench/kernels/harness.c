// Paging, console, counting and power-off for the benchmark kernels.

#include "harness.h"

enum {
    PAGE = 4096,
    RAM_BASE = 0x80200000,
    MAPPED_PAGES = (62 << 20) / PAGE,
    PTES = 512,
    PTE_VALID = 1,
    PTE_RWX = 7 << 1,
    PTE_USER = 1 << 4,
    PTE_ACCESSED_DIRTY = 3 << 6,
};

// The user alias of the image lies this far above it, so that one page can be S and U.
static const u64 USER_ALIAS = 0x40000000;

static u64 root[PTES] __attribute__((aligned(PAGE)));
static u64 middle[2][PTES] __attribute__((aligned(PAGE)));
static u64 leaves[2][MAPPED_PAGES / PTES + 1][PTES] __attribute__((aligned(PAGE)));

static u64 pointer_to(const void *table) { return (u64)table / PAGE << 10 | PTE_VALID; }

// Maps MAPPED_PAGES 4 KiB pages from RAM_BASE at RAM_BASE + displacement.
static void map_image(int alias, u64 displacement, u64 permissions) {
    u64 start = RAM_BASE + displacement;
    root[start >> 30] = pointer_to(middle[alias]);
    for (u64 page = 0; page < MAPPED_PAGES; page++) {
        u64 address = start + page * PAGE;
        u64 table = (address >> 21) - (start >> 21);
        middle[alias][address >> 21 & (PTES - 1)] = pointer_to(leaves[alias][table]);
        leaves[alias][table][address >> 12 & (PTES - 1)] =
            (RAM_BASE / PAGE + page) << 10 | permissions | PTE_ACCESSED_DIRTY | PTE_VALID;
    }
}

void enable_paging(void) {
    map_image(0, 0, PTE_RWX);
    map_image(1, USER_ALIAS, PTE_RWX | PTE_USER);
    u64 satp = 8ul << 60 | (u64)root / PAGE;
    asm volatile("sfence.vma\n csrw satp, %0\n sfence.vma" ::"r"(satp) : "memory");
}

static void firmware_call(u64 extension, u64 function, u64 first, u64 second) {
    register u64 a0 asm("a0") = first;
    register u64 a1 asm("a1") = second;
    register u64 a6 asm("a6") = function;
    register u64 a7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
}

static void put(char character) { firmware_call(0x4442434e, 2, (u64)character, 0); }

static void put_line(const char *label, u64 value) {
    char digits[20];
    int count = 0;
    for (; *label; label++) put(*label);
    do digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count) put(digits[--count]);
    put('\n');
}

static u64 retired(void) {
    u64 count;
    asm volatile("rdinstret %0" : "=r"(count)::"memory");
    return count;
}

void bench_main(void) {
    u64 before = retired();
    u64 result = kernel(REPEAT);
    u64 after = retired();
    put_line("instructions ", after - before);
    put_line("result ", result);
    firmware_call(0x53525354, 0, 0, 0);
}
