#include "guest_walk.h"

#include "guest_memory.h"
#include "paging.h"
#include "riscv.h"
#include "vcpu.h"

// By kind of access.
static const uint8_t page_faults[] = {12, 13, 15};
static const uint8_t access_faults[] = {1, 5, 7};
static const uint8_t needed[] = {ENTRY_EXECUTE, ENTRY_READ, ENTRY_WRITE};

// Bits 63 to 38 of an address must be equal.
static bool is_canonical(uint64_t address) {
    return (int64_t)(address << 25) >> 25 == (int64_t)address;
}

// What the guest may do, in its present mode, with a page that has this entry.
static uint64_t rights_of(uint64_t entry) {
    uint64_t rights = entry & ENTRY_RIGHTS;
    if (vcpu.status & STATUS_EXECUTE_READS && rights & ENTRY_EXECUTE)
        rights |= ENTRY_READ;
    if (!vcpu.supervisor)
        return entry & ENTRY_USER ? rights : 0;
    if (!(entry & ENTRY_USER))
        return rights;
    return vcpu.status & STATUS_USER_MEMORY ? rights & ~ENTRY_EXECUTE : 0;
}

static bool is_malformed(uint64_t entry) {
    bool write_only = (entry & (ENTRY_READ | ENTRY_WRITE)) == ENTRY_WRITE;
    return !(entry & ENTRY_VALID) || write_only || entry & ENTRY_RESERVED;
}

// A large page must lie at a multiple of its size.
static bool is_misaligned(uint64_t entry, unsigned level) {
    return entry_address(entry) & (level_bytes(level) - 1);
}

// The access is allowed: marks the leaf, as machines do that have Svadu.
static void use_leaf(uint64_t *entry, uint64_t address, unsigned level, enum access access,
                     struct guest_mapping *mapping) {
    *entry |= ENTRY_ACCESSED | (access == STORE ? ENTRY_DIRTY : 0);
    uint64_t offset = address & (level_bytes(level) - 1) & ~(PAGE_BYTES - 1);
    mapping->page = entry_address(*entry) + offset;
    mapping->large = level > 0;
    mapping->rights = rights_of(*entry);
    // The first store has to be noticed.
    if (!(*entry & ENTRY_DIRTY))
        mapping->rights &= ~ENTRY_WRITE;
}

static uint64_t walk_tables(uint64_t address, enum access access, struct guest_mapping *mapping) {
    uint64_t table = vcpu.translation << 12 & (1ul << 56) - 1;
    for (unsigned level = LEVELS; level-- > 0;) {
        if (!guest_has_memory(table, PAGE_BYTES))
            return access_faults[access];
        uint64_t *entry = (uint64_t *)guest_pointer(table) + entry_index(address, level);
        if (is_malformed(*entry))
            return page_faults[access];
        if (*entry & ENTRY_RIGHTS) {
            if (!(rights_of(*entry) & needed[access]) || is_misaligned(*entry, level))
                return page_faults[access];
            use_leaf(entry, address, level, access, mapping);
            return 0;
        }
        table = entry_address(*entry);
    }
    return page_faults[access];
}

uint64_t guest_walk(uint64_t address, enum access access, struct guest_mapping *mapping) {
    if (vcpu.translation == 0) {
        *mapping = (struct guest_mapping){address & ~(PAGE_BYTES - 1), ENTRY_RIGHTS, false};
        return 0;
    }
    return is_canonical(address) ? walk_tables(address, access, mapping) : page_faults[access];
}
