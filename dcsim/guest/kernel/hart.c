// Harts, and the interrupts that they send each other.
//
// A hart that has nothing to do gives back the kernel's lock and sleeps. Whoever leaves the kernel while
// a process is ready wakes one such hart; the interrupt stays pending until that hart serves it, so it
// does not matter whether it has begun to sleep yet.
#include "hart.h"

#include "address_space.h"
#include "frames.h"
#include "interrupts.h"
#include "kernel_lock.h"
#include "kernel_map.h"
#include "layout.h"
#include "machine.h"
#include "plic.h"
#include "print.h"
#include "privilege.h"
#include "sbi.h"
#include "schedule.h"
#include "settings.h"
#include "steal.h"
#include "timer.h"

extern uint8_t boot_stack_top[], boot_other[];  // in boot.S

struct hart harts[HART_LIMIT] = {{.stack_top = boot_stack_top, .bit = 1}};
int hart_count = 1;
bool several_harts;

static uint8_t sleeping;  // a bit for each hart
static uint32_t stopped;  // all but one

static bool start_hart(uint64_t id) {
    uint64_t stack = frame_allocate(), shared = 0;
    if (hypervisor_present)
        shared = frame_allocate_zeroed();
    if (!stack || (hypervisor_present && !shared))
        return false;
    harts[hart_count] = (struct hart){
        .stack_top = (uint8_t *)to_pointer(stack) + PAGE_BYTES,
        .shared = shared ? to_pointer(shared) : NULL,
        .id = id,
        .bit = (uint8_t)(1 << hart_count),
        .code_outdated = true,
    };
    if (sbi_start_hart(id, to_physical(boot_other), (uint64_t)&harts[hart_count]))
        return true;
    frame_release(stack);
    if (shared)
        frame_release(shared);
    return false;
}

void harts_start(void) {
    int wanted = settings.harts < HART_LIMIT ? (int)settings.harts : HART_LIMIT;
    if (machine.hart_count < 2 || wanted < 2)
        return;
    several_harts = true;
    kernel_lock_start();
    kernel_lock_take();
    interrupts_listen(INTERRUPT_SOFTWARE);
    for (int i = 0; i < machine.hart_count && hart_count < wanted; i++) {
        if (machine.harts[i] != machine.boot_hart && start_hart(machine.harts[i]))
            hart_count++;
    }
    print("kernel: %d harts\n", hart_count);
}

// Called by boot.S on the hart's own stack, in the high half, with the provisional page table.
noreturn void hart_begin(void) {
    kernel_map_join();
    clocks_hide();
    kernel_lock_take();
    timer_start();
    steal_start();
    interrupts_listen(INTERRUPT_SOFTWARE);
    if (machine.plic.address)
        plic_join();
    idle_loop();
}

static void sleep_now(void) {
    if (settings.hart_statistics)
        this_hart->idle_since = time_now();
    interrupt_sleep();
    if (settings.hart_statistics)
        this_hart->idle_ticks += time_now() - this_hart->idle_since;
    this_hart->idle_since = 0;
}

void hart_sleep(void) {
    if (several_harts) {
        address_space_leave();
        sleeping |= this_hart->bit;
        kernel_lock_release();
    }
    sleep_now();
    if (several_harts) {
        kernel_lock_take();
        sleeping &= (uint8_t)~this_hart->bit;
    }
    interrupts_serve_pending();
}

void hart_wake_one(void) {
    for (int i = 0; sleeping && i < hart_count; i++) {
        if (sleeping & harts[i].bit) {
            sleeping &= (uint8_t)~harts[i].bit;
            sbi_send_interrupt(1ul << harts[i].id);
            return;
        }
    }
}

void harts_interrupt_others(void) {
    uint64_t ids = 0;
    for (int i = 0; i < hart_count; i++)
        ids |= &harts[i] == this_hart ? 0 : 1ul << harts[i].id;
    if (ids)
        sbi_send_interrupt(ids);
}

bool hart_interrupt_and_wait(void) {
    if (hart_count < 2)
        return false;
    const struct hart *other = &harts[this_hart == &harts[0]];
    uint64_t before = other->interrupted;
    sbi_send_interrupt(1ul << other->id);
    kernel_lock_release();
    while (__atomic_load_n(&other->interrupted, __ATOMIC_ACQUIRE) == before)
        continue;
    kernel_lock_take();
    return true;
}

void hart_interrupted(void) {
    if (!hypervisor_present)
        CSR_CLEAR(sip, INTERRUPT_SOFTWARE);
    __atomic_store_n(&this_hart->interrupted, this_hart->interrupted + 1, __ATOMIC_RELEASE);
    timer_look();
}

static noreturn void stop(void) {
    interrupts_listen_to_none();
    for (;;)
        interrupt_sleep();
}

void harts_stop_others(void) {
    if (__atomic_exchange_n(&stopped, 1, __ATOMIC_SEQ_CST))
        stop();
    harts_interrupt_others();
}

void hart_stop_if_told(void) {
    if (__atomic_load_n(&stopped, __ATOMIC_RELAXED))
        stop();
}
