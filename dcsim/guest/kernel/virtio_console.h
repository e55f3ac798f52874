// The console as a virtio device.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "plic.h"

// Finds the device and gets it going; false when there is none. `input_arrived` is called when
// there is something to read.
bool virtio_console_start(interrupt_handler *input_arrived);

// Returns when the device has taken all of it. `bytes` must be memory of the kernel.
void virtio_console_write(const char *bytes, size_t size);

// The next received byte, or -1.
int virtio_console_read(void);
