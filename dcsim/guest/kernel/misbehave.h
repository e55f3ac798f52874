// What no kernel should do, done when a program asks for it: a hypervisor has to live with it.
#pragma once

#include <stdint.h>

int64_t call_misbehave(const uint64_t *arguments);
