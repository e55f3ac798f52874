// Reading a flattened device tree (Devicetree Specification v0.4, chapter 5).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct property {
    const char *bytes;
    uint32_t size;
};

// The properties of one node that this kernel cares about; absent ones are zero. Pointers point
// into the tree.
struct node {
    struct property compatible;
    bool is_memory, is_hart;     // device_type = "memory", "cpu"
    bool is_disabled;            // it has a status, which is not "okay"
    uint64_t address, bytes;     // the first pair of `reg`
    uint32_t interrupt;          // the first cell of `interrupts`
    uint64_t timebase_hz;
    const char *isa;
    const char *boot_arguments;
};

// Calls `found` once per node, parents first. False when there is no valid tree.
bool device_tree_read(const void *tree, void (*found)(const struct node *node));
