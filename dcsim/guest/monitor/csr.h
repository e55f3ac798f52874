// The guest's control and status registers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Read and write a register in the guest's present mode; false when it may not, or there is none.
bool csr_read(unsigned number, uint64_t *value);
bool csr_write(unsigned number, uint64_t value);
