// The order of boot.
#include "layout.h"
#include "machine.h"
#include "payload.h"
#include "riscv.h"
#include "shadow.h"
#include "vcpu.h"
#include "window.h"
#include "world.h"

enum { A0 = 10, A1 = 11 };

union world_page world_page __attribute__((aligned(PAGE_BYTES)));

// Called by boot.S with paging off. The guest begins as firmware would begin it.
_Noreturn void monitor_start(uint64_t hart, const void *tree) {
    machine_divide(tree);
    payload_load();
    CSR_WRITE(scounteren, 0);  // a guest that reads a clock traps
    CSR_CLEAR(sstatus, STATUS_FROM_SUPERVISOR | STATUS_FLOAT_MASK);
    window_start();
    vcpu.supervisor = true;
    vcpu.pc = IMAGE_START;
    vcpu.timer = UINT64_MAX;
    WORLD.x[A0] = hart;
    WORLD.x[A1] = MEMORY_START;
    CSR_WRITE(sepc, vcpu.pc);
    WORLD.guest_satp = shadow_satp();
    world_enter();
}
