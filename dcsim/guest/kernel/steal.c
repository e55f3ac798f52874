// Stolen time: in the page shared with the hypervisor that this kernel knows; with others, where they
// offer it, in a record as the SBI describes it in its chapter on steal-time accounting.
#include "steal.h"

#include <stdbool.h>

#include "hart.h"
#include "hypervisor.h"
#include "layout.h"
#include "machine.h"
#include "sbi.h"

#define SECOND_NS 1000000000ul

// Odd while the hypervisor writes.
struct steal_record {
    _Alignas(64) uint32_t sequence;
    uint32_t flags;
    uint64_t stolen_ns;
    uint8_t preempted;
    uint8_t rest[47];
};
_Static_assert(sizeof(struct steal_record) == 64, "the SBI's size");

static volatile struct steal_record records[HART_LIMIT];
static bool recorded;

void steal_start(void) {
    if (hypervisor_present || !sbi_has(SBI_STEAL_TIME))
        return;
    const volatile void *record = &records[this_hart - harts];
    recorded = sbi_record_steal_time(to_physical((const void *)record));
}

static uint64_t read_record(const volatile struct steal_record *record) {
    for (;;) {
        uint32_t sequence = record->sequence;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        uint64_t stolen_ns = record->stolen_ns;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (sequence % 2 == 0 && sequence == record->sequence)
            return stolen_ns;
    }
}

uint64_t stolen_ticks(const struct hart *hart) {
    if (hypervisor_present)
        return hart->shared->stolen_ticks;
    if (!recorded)
        return 0;
    uint64_t ns = read_record(&records[hart - harts]);
    return ns / SECOND_NS * machine.timebase_hz + ns % SECOND_NS * machine.timebase_hz / SECOND_NS;
}
