// Turning device-tree properties into `machine`.
//
// The tree is read once, front to back. A node's properties are collected in `struct node` and
// judged when the node's properties end: in the tree format they all come before its children.
#include "machine.h"

#include "device_tree.h"
#include "hypervisor.h"
#include "memory.h"
#include "print.h"

// Sets of harts are one word for the firmware.
#define HART_ID_LIMIT 64

struct machine machine;

static void found_memory(const struct node *node) {
    machine.memory_start = node->address;
    machine.memory_bytes = node->bytes;
}

static void found_virtio(const struct node *node) {
    if (machine.virtio_count < VIRTIO_LIMIT)
        machine.virtio[machine.virtio_count++] =
            (struct device){node->address, node->bytes, node->interrupt};
}

// Does a node say, in any of its `compatible` strings, that it is driven like `kind`?
static bool is_compatible(const struct node *node, const char *kind) {
    const char *text = node->compatible.bytes;
    const char *end = text + node->compatible.size;
    for (; text < end; text += strlen(text) + 1) {
        if (text_equal(text, kind))
            return true;
    }
    return false;
}

static void found_device(const struct node *node) {
    struct device device = {node->address, node->bytes, node->interrupt};
    if (is_compatible(node, "ns16550a"))
        machine.uart = device;
    else if (is_compatible(node, "sifive,plic-1.0.0") || is_compatible(node, "riscv,plic0"))
        machine.plic = device;
    else if (is_compatible(node, "sifive,test0") || is_compatible(node, "sifive,test1"))
        machine.finisher = node->address;
    else if (is_compatible(node, "virtio,mmio"))
        found_virtio(node);
}

// Is `extension` one of those in an ISA string such as rv64imafdc_zicsr_sstc?
static bool isa_has(const char *isa, const char *extension) {
    for (; *isa; isa++) {
        const char *rest = *isa == '_' ? text_after(isa + 1, extension) : NULL;
        if (rest && (*rest == 0 || *rest == '_'))
            return true;
    }
    return false;
}

static void found_hart(const struct node *node) {
    if (!node->is_disabled && machine.hart_count < HART_LIMIT && node->address < HART_ID_LIMIT)
        machine.harts[machine.hart_count++] = node->address;
}

static void found_node(const struct node *node) {
    if (node->isa && isa_has(node->isa, "sstc") && !kernel_in_user_mode)
        machine.has_supervisor_timer = true;
    if (node->isa && isa_has(node->isa, "zicntr"))
        machine.has_cycle_counter = true;
    if (node->timebase_hz)
        machine.timebase_hz = node->timebase_hz;
    if (node->boot_arguments)
        text_copy(machine.boot_arguments, node->boot_arguments, BOOT_ARGUMENTS_BYTES);
    if (node->is_hart)
        found_hart(node);
    if (node->is_memory && machine.memory_bytes == 0)
        found_memory(node);
    else if (node->compatible.size)
        found_device(node);
}

void machine_discover(unsigned boot_hart, const void *tree) {
    machine.boot_hart = this_hart->id = boot_hart;
    if (!device_tree_read(tree, found_node))
        panic("no device tree");
    if (machine.memory_bytes == 0 || machine.timebase_hz == 0)
        panic("the device tree lacks memory or timebase-frequency");
}
