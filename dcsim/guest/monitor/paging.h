// Sv39 page tables, those of the guest and those of the monitor.
#pragma once

#include <stdint.h>

#define ENTRY_VALID (1ul << 0)
#define ENTRY_READ (1ul << 1)
#define ENTRY_WRITE (1ul << 2)
#define ENTRY_EXECUTE (1ul << 3)
#define ENTRY_USER (1ul << 4)
#define ENTRY_ACCESSED (1ul << 6)
#define ENTRY_DIRTY (1ul << 7)
#define ENTRY_RIGHTS (ENTRY_READ | ENTRY_WRITE | ENTRY_EXECUTE)
#define ENTRY_RESERVED (0x3fful << 54)  // for extensions that the guest's machine has not

#define LEVELS 3
#define ENTRIES 512

static inline uint64_t entry_make(uint64_t address, uint64_t flags) {
    return address >> 12 << 10 | flags;
}
static inline uint64_t entry_address(uint64_t entry) {
    return (entry & ~ENTRY_RESERVED) >> 10 << 12;
}
static inline unsigned entry_index(uint64_t address, unsigned level) {
    return address >> (12 + 9 * level) & (ENTRIES - 1);
}
// The bytes that an entry at a level is for.
static inline uint64_t level_bytes(unsigned level) {
    return 4096ul << 9 * level;
}
