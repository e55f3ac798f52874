// The kernel's own address space, which is also the upper half of every process's.
#pragma once

#include "page_table.h"

// Maps RAM, the kernel image with exact permissions and the devices, and switches to it.
// Requires frames_start.
void kernel_map_start(void);

// Has another hart use it too.
void kernel_map_join(void);

// The root for when no process's is in use.
extern entry_t *kernel_root;

// A new root with the kernel's half filled in; NULL when there is no frame.
entry_t *kernel_map_new_root(void);
