#include "exit.h"

#include "calls.h"
#include "emulate.h"
#include "guest_memory.h"
#include "guest_walk.h"
#include "machine.h"
#include "report.h"
#include "riscv.h"
#include "shadow.h"
#include "vcpu.h"
#include "window.h"
#include "world.h"

static uint64_t counts[EXIT_KINDS];

void count_exit(enum exit kind) {
    counts[kind]++;
}

void report_exits(void) {
    uint64_t total = 0;
    for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
        total += counts[kind];
    report("result monitor-%u exits=%lu csr=%lu return=%lu fence=%lu wait=%lu call=%lu fill=%lu "
           "reflected=%lu timer=%lu",
           machine.depth, total, counts[EXIT_CSR], counts[EXIT_RETURN], counts[EXIT_FENCE],
           counts[EXIT_WAIT], counts[EXIT_CALL], counts[EXIT_FILL], counts[EXIT_REFLECTED],
           counts[EXIT_TIMER]);
}

static void reflect(uint64_t cause, uint64_t value) {
    count_exit(EXIT_REFLECTED);
    vcpu_trap(cause, value);
}

static void serve_page_fault(uint64_t address, enum access access) {
    static const uint8_t access_faults[] = {1, 5, 7};
    struct guest_mapping mapping;
    if (window_covers(address))
        window_move();
    uint64_t exception = guest_walk(address, access, &mapping);
    uint64_t page = exception ? 0 : guest_page(mapping.page);
    if (!page) {
        reflect(exception ? exception : access_faults[access], address);
        return;
    }
    count_exit(EXIT_FILL);
    shadow_fill(address, page, mapping.rights, mapping.large);
}

static void serve_call(void) {
    if (vcpu.supervisor) {
        count_exit(EXIT_CALL);
        calls_serve();
    } else {
        reflect(CAUSE_USER_CALL, 0);
    }
}

static void serve_timer(void) {
    count_exit(EXIT_TIMER);
    vcpu_timer_expired();
}

static void serve(uint64_t cause) {
    switch (cause) {
    case CAUSE_TIMER: serve_timer(); break;
    case CAUSE_USER_CALL: serve_call(); break;
    case CAUSE_ILLEGAL_INSTRUCTION: emulate(CSR_READ(stval)); break;
    case CAUSE_FETCH_PAGE_FAULT: serve_page_fault(CSR_READ(stval), FETCH); break;
    case CAUSE_LOAD_PAGE_FAULT: serve_page_fault(CSR_READ(stval), LOAD); break;
    case CAUSE_STORE_PAGE_FAULT: serve_page_fault(CSR_READ(stval), STORE); break;
    default: reflect(cause, CSR_READ(stval));
    }
}

_Noreturn void exit_serve(void) {
    uint64_t cause = CSR_READ(scause);
    vcpu.pc = CSR_READ(sepc);
    if (CSR_READ(sstatus) & STATUS_FROM_SUPERVISOR)
        give_up("trap 0x%lx in the monitor at 0x%lx, value 0x%lx", cause, vcpu.pc, CSR_READ(stval));
    serve(cause);
    vcpu_take_interrupt();
    CSR_WRITE(sepc, vcpu.pc);
    WORLD.guest_satp = shadow_satp();
    world_enter();
}
