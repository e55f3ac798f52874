// Calls of the hypervisor: an SBI extension of its own.
#include "hypervisor.h"

#include <stddef.h>

#include "layout.h"
#include "print.h"
#include "riscv.h"
#include "sbi.h"

enum function {
    FEATURES = HYPERVISOR_FEATURES,
    SHARE,
    APPLY,
    SWITCH,
    WAIT,
    NOTIFY,
    SEAL = HYPERVISOR_RETURN + 1,
    LISTEN,
};

// In the lowest bits of the address that an operation is about.
enum operation { SET, LINK, NEW_ROOT, UNPIN = 4, FLUSH_PAGE, FLUSH_SPACE };

// The names of frames: our physical address of each machine frame that our tables name.
#define NAMES ((const volatile uint64_t *)0xffffffffc0000000ul)

#define VALID 1ul
#define FRAME_SHIFT 10
#define FLAGS ((1ul << FRAME_SHIFT) - 1)

#define QUEUE_LIMIT 64

bool hypervisor_present, kernel_in_user_mode, hypervisor_large_pages;

static _Alignas(PAGE_BYTES) volatile struct hypervisor_page boot_page;
_Static_assert(sizeof boot_page == PAGE_BYTES, "it has a page of its own");
_Static_assert(offsetof(struct hypervisor_page, x17) == SHARED_X17, "assembly knows this layout");

// A list must not cross a page.
static _Alignas(QUEUE_LIMIT * 16) struct {
    uint64_t place, value;
} queue[QUEUE_LIMIT];
static unsigned queued;

// In trap.S.
void trap_entry_in_user_mode(void);

static uint64_t call(enum function function, uint64_t first, uint64_t second, uint64_t third) {
    struct sbi_result result = sbi_call(HYPERVISOR_EXTENSION, function, first, second, third);
    if (result.error)
        panic("the hypervisor refuses call %u: error %ld", function, result.error);
    return result.value;
}

static void share(void) {
    call(SHARE, to_physical((const void *)hypervisor_shared()), (uint64_t)trap_entry_in_user_mode, 0);
}

void hypervisor_start(void) {
    this_hart->shared = &boot_page;
    share();
    call(SEAL, to_physical(image_start), to_physical(constants_start), to_physical(data_start));
    call(SWITCH, 0, 0, 0);
    hypervisor_large_pages = call(FEATURES, 0, 0, 0) & HYPERVISOR_LARGE_PAGES;
}

void hypervisor_join(void) {
    share();
    call(SWITCH, 0, 0, 0);
}

void hypervisor_commit(void) {
    unsigned count = queued;
    queued = 0;
    if (count)
        call(APPLY, to_physical(queue), count, 0);
}

static void add(enum operation operation, uint64_t place, uint64_t value) {
    if (queued == QUEUE_LIMIT)
        hypervisor_commit();
    queue[queued].place = place | operation;
    queue[queued].value = value;
    queued++;
}

void hypervisor_set_entry(const uint64_t *entry, uint64_t value) {
    add(SET, to_physical(entry), value);
}

void hypervisor_flush_page(uint64_t address, uint64_t asid) {
    add(FLUSH_PAGE, page_down(address), asid);
}

void hypervisor_flush_space(uint64_t asid) {
    add(FLUSH_SPACE, 0, asid);
}

void hypervisor_link_table(const uint64_t *entry, uint64_t value) {
    add(LINK, to_physical(entry), value);
    hypervisor_commit();
}

void hypervisor_new_root(uint64_t frame) {
    add(NEW_ROOT, frame, 0);
    hypervisor_commit();
}

void hypervisor_drop_root(uint64_t frame) {
    add(UNPIN, frame, 0);
    hypervisor_commit();
}

void hypervisor_use_root(uint64_t frame, uint64_t asid) {
    call(SWITCH, frame, asid, 0);
}

uint64_t hypervisor_own_entry(uint64_t entry) {
    if (!(entry & VALID))
        return entry;
    return NAMES[entry >> FRAME_SHIFT] >> 12 << FRAME_SHIFT | (entry & FLAGS);
}

// The interrupt goes before the bits are taken: what comes in between raises it again.
uint64_t hypervisor_take_events(void) {
    if (!kernel_in_user_mode)
        CSR_CLEAR(sip, INTERRUPT_SOFTWARE);
    return __atomic_exchange_n(&hypervisor_shared()->pending, 0, __ATOMIC_ACQUIRE);
}

void hypervisor_wait(void) {
    call(WAIT, 0, 0, 0);
}

void hypervisor_notify(uint64_t registers, uint32_t queue_number) {
    call(NOTIFY, registers, queue_number, 0);
}

void hypervisor_listen(const struct hart *hart) {
    call(LISTEN, hart->id, 0, 0);
}

uint64_t hypervisor_take_lines_of(const struct hart *hart) {
    uint64_t others = HYPERVISOR_TIMER | HYPERVISOR_HART;
    return __atomic_fetch_and(&hart->shared->pending, others, __ATOMIC_ACQUIRE) & ~others;
}
