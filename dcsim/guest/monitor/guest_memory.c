#include "guest_memory.h"

#include "machine.h"

bool guest_has_memory(uint64_t address, uint64_t bytes) {
    uint64_t offset = address - MEMORY_START;
    return offset < machine.guest_bytes && bytes <= machine.guest_bytes - offset;
}

uint64_t guest_page(uint64_t address) {
    if (guest_has_memory(address, PAGE_BYTES))
        return address + GUEST_OFFSET;
    return address == machine.serial_port ? address : 0;
}
