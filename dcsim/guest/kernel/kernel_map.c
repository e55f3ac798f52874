// The kernel's own address space: every physical address at KERNEL_OFFSET above it, global, with A
// and D set beforehand so that the kernel itself never takes a page fault.
//
// It never changes after boot: all roots share its lower tables. A hypervisor maps the same by itself.
#include "kernel_map.h"

#include <stddef.h>

#include "frames.h"
#include "layout.h"
#include "machine.h"
#include "memory.h"
#include "print.h"
#include "riscv.h"

#define ALWAYS (ENTRY_VALID | ENTRY_GLOBAL | ENTRY_ACCESSED | ENTRY_DIRTY)
#define CODE (ALWAYS | ENTRY_READ | ENTRY_EXECUTE)
#define CONSTANTS (ALWAYS | ENTRY_READ)
#define DATA (ALWAYS | ENTRY_READ | ENTRY_WRITE)

entry_t *kernel_root;

// Maps physical start..end, in megapages where they fit.
static void map(uint64_t start, uint64_t end, uint64_t flags) {
    while (start < end) {
        bool mega = start % MEGAPAGE_BYTES == 0 && end - start >= MEGAPAGE_BYTES;
        entry_t *entry = page_table_entry(kernel_root, start + KERNEL_OFFSET, mega);
        if (!entry)
            panic("no memory for the kernel's page tables");
        *entry = entry_make(start, flags);
        start += mega ? MEGAPAGE_BYTES : PAGE_BYTES;
    }
}

// Device registers are rounded out to megapages: one entry covers them all.
static void map_device(uint64_t address, uint64_t bytes) {
    if (address == 0)
        return;
    uint64_t start = address & ~(MEGAPAGE_BYTES - 1);
    uint64_t end = (address + bytes + MEGAPAGE_BYTES - 1) & ~(MEGAPAGE_BYTES - 1);
    map(start, end, DATA);
}

static void map_devices(void) {
    map_device(machine.finisher, 1);
    map_device(machine.uart.address, machine.uart.bytes);
    map_device(machine.plic.address, machine.plic.bytes);
    for (int i = 0; i < machine.virtio_count; i++)
        map_device(machine.virtio[i].address, machine.virtio[i].bytes);
}

static void use(void) {
    CSR_WRITE(satp, SATP_SV39 | to_physical(kernel_root) >> 12);
    fence_everything();
}

void kernel_map_start(void) {
    if (hypervisor_present) {
        hypervisor_start();
        return;
    }
    kernel_root = to_pointer(frame_allocate_zeroed());
    uint64_t constants = to_physical(constants_start), data = to_physical(data_start);
    map(KERNEL_PHYSICAL, constants, CODE);
    map(constants, data, CONSTANTS);
    map(data, machine.memory_start + machine.memory_bytes, DATA);
    map_devices();
    use();
}

void kernel_map_join(void) {
    if (hypervisor_present)
        hypervisor_join();
    else
        use();
}

entry_t *kernel_map_new_root(void) {
    uint64_t frame = hypervisor_present ? frame_allocate() : frame_allocate_zeroed();
    if (!frame)
        return NULL;
    entry_t *root = to_pointer(frame);
    if (hypervisor_present) {
        hypervisor_new_root(frame);
        return root;
    }
    memcpy(root + ENTRIES / 2, kernel_root + ENTRIES / 2, ENTRIES / 2 * sizeof *root);
    return root;
}
