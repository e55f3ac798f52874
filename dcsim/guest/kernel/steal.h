// Stolen time: how long others ran on a processor although this hart could have, as a hypervisor tells it.
#pragma once

#include <stdint.h>

// Asks for a record of this hart's, where there is somebody to ask.
void steal_start(void);

// The time, in ticks of the time counter, that has been stolen from a hart so far.
struct hart;
uint64_t stolen_ticks(const struct hart *hart);
