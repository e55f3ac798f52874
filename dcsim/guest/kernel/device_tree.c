// Reading a flattened device tree: a stream of big-endian 32-bit tokens (begin node, property,
// end node, end), property names in a separate block of strings.
#include "device_tree.h"

#include "memory.h"

#define MAGIC 0xd00dfeedu
#define TOKEN_BEGIN 1u
#define TOKEN_END 2u
#define TOKEN_PROPERTY 3u
#define TOKEN_NOTHING 4u

#define DEPTH_LIMIT 8

// How many 32-bit cells an address and a size take in the `reg` of a node's children.
struct cells {
    uint32_t address, size;
};

struct reader {
    const uint32_t *next;
    const char *strings;
    struct cells cells[DEPTH_LIMIT + 1];  // by depth; [0] holds for the root itself
    int depth;
    struct node node;
    bool node_open;  // properties of `node` may still come
    void (*found)(const struct node *node);
};

static uint32_t big_endian(uint32_t value) {
    return value << 24 | (value & 0xff00) << 8 | (value >> 8 & 0xff00) | value >> 24;
}

// The number that `count` cells make; only the last two fit.
static uint64_t read_cells(const uint32_t *cells, uint32_t count) {
    uint64_t number = 0;
    for (uint32_t i = 0; i < count; i++)
        number = number << 32 | big_endian(cells[i]);
    return number;
}

static void read_reg(struct reader *reader, const uint32_t *value, uint32_t size) {
    struct cells cells = reader->cells[reader->depth - 1];
    if (size < (cells.address + cells.size) * sizeof *value)
        return;
    reader->node.address = read_cells(value, cells.address);
    reader->node.bytes = read_cells(value + cells.address, cells.size);
}

static void read_property(struct reader *reader, const char *name, const void *value,
                          uint32_t size) {
    struct node *node = &reader->node;
    if (text_equal(name, "reg"))
        read_reg(reader, value, size);
    else if (text_equal(name, "compatible"))
        node->compatible = (struct property){value, size};
    else if (text_equal(name, "interrupts"))
        node->interrupt = read_cells(value, size ? 1 : 0);
    else if (text_equal(name, "device_type"))
        node->is_memory = text_equal(value, "memory"), node->is_hart = text_equal(value, "cpu");
    else if (text_equal(name, "status"))
        node->is_disabled = !text_equal(value, "okay");
    else if (text_equal(name, "timebase-frequency"))
        node->timebase_hz = read_cells(value, size / sizeof(uint32_t));
    else if (text_equal(name, "riscv,isa"))
        node->isa = value;
    else if (text_equal(name, "bootargs"))
        node->boot_arguments = value;
    else if (text_equal(name, "#address-cells"))
        reader->cells[reader->depth].address = read_cells(value, 1);
    else if (text_equal(name, "#size-cells"))
        reader->cells[reader->depth].size = read_cells(value, 1);
}

static void close_properties(struct reader *reader) {
    if (reader->node_open)
        reader->found(&reader->node);
    reader->node_open = false;
}

// Skips a value of `bytes` bytes, padded to whole tokens.
static void skip(struct reader *reader, size_t bytes) {
    reader->next += (bytes + sizeof(uint32_t) - 1) / sizeof(uint32_t);
}

static void begin_node(struct reader *reader) {
    close_properties(reader);
    skip(reader, strlen((const char *)reader->next) + 1);
    reader->depth++;
    reader->node = (struct node){0};
    reader->node_open = reader->depth <= DEPTH_LIMIT;
    if (reader->node_open)
        reader->cells[reader->depth] = (struct cells){2, 1};  // the specification's default
}

static void next_property(struct reader *reader) {
    uint32_t size = big_endian(*reader->next++);
    const char *name = reader->strings + big_endian(*reader->next++);
    if (reader->node_open)
        read_property(reader, name, reader->next, size);
    skip(reader, size);
}

bool device_tree_read(const void *tree, void (*found)(const struct node *node)) {
    const uint32_t *header = tree;
    if (big_endian(header[0]) != MAGIC)
        return false;
    struct reader reader = {
        .next = (const uint32_t *)((const char *)tree + big_endian(header[2])),
        .strings = (const char *)tree + big_endian(header[3]),
        .found = found,
    };
    for (;;) {
        uint32_t token = big_endian(*reader.next++);
        if (token == TOKEN_BEGIN) {
            begin_node(&reader);
        } else if (token == TOKEN_PROPERTY) {
            next_property(&reader);
        } else if (token == TOKEN_END) {
            close_properties(&reader);
            reader.depth--;
        } else if (token != TOKEN_NOTHING) {
            return true;
        }
    }
}
