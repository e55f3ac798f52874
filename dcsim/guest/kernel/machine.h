// What the kernel knows about the machine it runs on, found in the device tree at boot.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"

#define VIRTIO_LIMIT 16
#define BOOT_ARGUMENTS_BYTES 1024

// A device's registers and its interrupt number at the PLIC. An address of 0 means: not there.
struct device {
    uint64_t address;
    uint64_t bytes;
    unsigned interrupt;
};

struct machine {
    uint64_t memory_start, memory_bytes;
    uint64_t timebase_hz;      // how fast the `time` register counts
    bool has_supervisor_timer;  // Sstc: the stimecmp register replaces a firmware call
    bool has_cycle_counter;     // Zicntr: the `cycle` register may be read
    uint64_t boot_hart;
    uint64_t harts[HART_LIMIT];  // the numbers of all, the boot hart's too
    int hart_count;
    uint64_t finisher;
    struct device uart, plic;
    struct device virtio[VIRTIO_LIMIT];
    int virtio_count;
    char boot_arguments[BOOT_ARGUMENTS_BYTES];
};

extern struct machine machine;

// Fills `machine` from the device tree at `tree`. Everything needed is copied: the tree's memory
// may be reused afterwards.
void machine_discover(unsigned boot_hart, const void *tree);
