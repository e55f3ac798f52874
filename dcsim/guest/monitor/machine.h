// The machine that the monitor runs on, and the one that it makes of it for its guest.
#pragma once

#include <stdint.h>

extern struct machine {
    uint64_t guest_bytes;  // of memory, from MEMORY_START on in the guest's addresses
    uint64_t serial_port;  // the page of the serial port, which the guest may use itself; 0: none
    unsigned depth;        // monitors from this one on: its guest is a kernel (1), or a monitor
} machine;

// Reads a device tree, and makes that of the guest of it, at the start of the guest's memory. Gives up
// when the machine does not suit.
void machine_divide(const void *tree);
