// The guest's device tree is a copy of the machine's, with less memory and with the nodes of all
// devices blanked that the guest has none of: it has harts, memory and a serial port.
// (Devicetree Specification v0.4, chapter 5.)
#include "machine.h"

#include <stdbool.h>

#include "layout.h"
#include "memory.h"
#include "report.h"

#define MAGIC 0xd00dfeedu
#define TOKEN_BEGIN 1u
#define TOKEN_END 2u
#define TOKEN_PROPERTY 3u
#define TOKEN_NOTHING 4u

#define TREE_LIMIT 0x10000u
#define LEAST_GUEST_BYTES 0x400000ul

struct machine machine;

struct tree {
    uint32_t *next;
    const char *strings;
    const char *node;  // the name of the innermost node that is of any interest
};

static uint32_t big_endian(uint32_t value) {
    return __builtin_bswap32(value);
}

static uint64_t two_cells(const uint32_t *cells) {
    return (uint64_t)big_endian(cells[0]) << 32 | big_endian(cells[1]);
}

static void set_two_cells(uint32_t *cells, uint64_t value) {
    cells[0] = big_endian((uint32_t)(value >> 32));
    cells[1] = big_endian((uint32_t)value);
}

// What the guest has, by the beginnings of the nodes' names; "" is the root.
static bool guest_has(const char *name) {
    static const char kept[][8] = {"cpu", "chosen", "memory@", "soc", "serial@"};
    if (*name == 0)
        return true;
    for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (text_after(name, kept[i]))
            return true;
    }
    return false;
}

static uint32_t tokens(size_t bytes) {
    return (uint32_t)((bytes + sizeof(uint32_t) - 1) / sizeof(uint32_t));
}

// Behind the node that begins at `begin`, with all that is in it.
static uint32_t *node_end(uint32_t *begin) {
    unsigned depth = 0;
    for (uint32_t *next = begin;;) {
        uint32_t token = big_endian(*next++);
        if (token == TOKEN_BEGIN) {
            depth++;
            next += tokens(strlen((const char *)next) + 1);
        } else if (token == TOKEN_PROPERTY) {
            next += 2 + tokens(big_endian(*next));
        } else if (token == TOKEN_END && --depth == 0) {
            return next;
        }
    }
}

// The memory must begin where that of QEMU's `virt` does: the images are made for it.
static void divide_memory(uint32_t *value, uint32_t size) {
    if (size != 16 || two_cells(value) != MEMORY_START)
        give_up("memory is not one region at 0x%lx", MEMORY_START);
    uint64_t bytes = two_cells(value + 2);
    if (bytes < GUEST_OFFSET + LEAST_GUEST_BYTES)
        give_up("%lu bytes of memory are too few", bytes);
    machine.guest_bytes = bytes - GUEST_OFFSET;
    set_two_cells(value + 2, machine.guest_bytes);
}

// `monitor.depth=<n>`, n < 10, is for us; the guest, if it is a monitor, is told one less.
static void read_arguments(char *text) {
    machine.depth = 1;
    for (; *text; text++) {
        char *value = (char *)text_after(text, "monitor.depth=");
        if (value && *value > '1' && *value <= '9')
            machine.depth = (unsigned)((*value)-- - '0');
    }
}

static void read_property(struct tree *tree, const char *name, uint32_t *value, uint32_t size) {
    if (text_equal(name, "bootargs"))
        read_arguments((char *)value);
    else if (text_equal(name, "reg") && text_after(tree->node, "memory@"))
        divide_memory(value, size);
    else if (text_equal(name, "reg") && text_after(tree->node, "serial@") && size == 16)
        machine.serial_port = two_cells(value);
}

static void begin_node(struct tree *tree) {
    uint32_t *begin = tree->next - 1;
    tree->node = (const char *)tree->next;
    if (guest_has(tree->node)) {
        tree->next += tokens(strlen(tree->node) + 1);
        return;
    }
    tree->next = node_end(begin);
    while (begin < tree->next)
        *begin++ = big_endian(TOKEN_NOTHING);
}

static void next_property(struct tree *tree) {
    uint32_t size = big_endian(*tree->next++);
    const char *name = tree->strings + big_endian(*tree->next++);
    read_property(tree, name, tree->next, size);
    tree->next += tokens(size);
}

static void divide(struct tree *tree) {
    for (;;) {
        uint32_t token = big_endian(*tree->next++);
        if (token == TOKEN_BEGIN)
            begin_node(tree);
        else if (token == TOKEN_PROPERTY)
            next_property(tree);
        else if (token != TOKEN_END && token != TOKEN_NOTHING)
            return;
    }
}

void machine_divide(const void *given) {
    static FRESH _Alignas(8) char copy[TREE_LIMIT];
    const uint32_t *header = given;
    uint32_t bytes = big_endian(header[1]);
    if (big_endian(header[0]) != MAGIC || bytes > TREE_LIMIT)
        give_up("no device tree of at most %u bytes", TREE_LIMIT);
    memcpy(copy, given, bytes);
    header = (const uint32_t *)copy;
    struct tree tree = {
        .next = (uint32_t *)(copy + big_endian(header[2])),
        .strings = copy + big_endian(header[3]),
        .node = "",
    };
    divide(&tree);
    if (machine.guest_bytes == 0)
        give_up("the device tree has no memory");
    memcpy((void *)(MEMORY_START + GUEST_OFFSET), copy, bytes);
}
