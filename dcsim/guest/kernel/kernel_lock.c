// A ticket lock: harts get it in the order in which they came.
//
// So a hart that a hypervisor does not let run holds up all behind it, whether it has the lock or is
// next. With kernel.locks=paravirtual a hart that has looked often enough stops, and whoever gives it the lock
// kicks it. Either the waiting hart sees its number called, or the other one sees it wait: both write
// first and read then. A hypervisor that takes hints is told of the wait; elsewhere the hart sleeps, and the
// kick is an interrupt, from which any hypervisor sees as well that the hart needs no processor.
#include "kernel_lock.h"

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"
#include "hypervisor.h"
#include "riscv.h"
#include "sbi.h"
#include "settings.h"

// So many looks take some thousands of cycles: as long as a long system call, and far less than a
// hypervisor lets one guest run before another's turn.
#define SPINS 128

static struct {
    uint32_t next;     // ticket to be given out
    uint32_t serving;  // ticket of the holder, or to be the holder
    uint64_t holder;   // the hart that has it, or had it last
} lock;

static bool waits;                        // after so many looks,
static bool tells;                        // and says so
static uint64_t waiting_for[HART_LIMIT];  // ticket + 1; 0: the hart does not wait
static uint32_t waiting;                  // a bit for each hart that may

void kernel_lock_start(void) {
    tells = settings.paravirtual_locks && sbi_has(SBI_LOCKS);
    waits = tells || (settings.paravirtual_locks && !hypervisor_present);
}

static bool is_served(uint32_t ticket) {
    return __atomic_load_n(&lock.serving, __ATOMIC_ACQUIRE) == ticket;
}

// Interrupts of other kinds would end the sleep without being served. One of this kind may have been
// another than the kick: what that was to do is done here too.
static void sleep_until_kicked(void) {
    uint64_t kinds = CSR_READ(sie);
    CSR_WRITE(sie, INTERRUPT_SOFTWARE);
    wait_for_interrupt();
    CSR_WRITE(sie, kinds);
    hart_interrupted();
}

static void wait_for_kick(uint32_t ticket) {
    uint64_t *own = &waiting_for[this_hart - harts];
    this_hart->lock.waits++;
    __atomic_store_n(own, ticket + 1ul, __ATOMIC_RELAXED);
    __atomic_fetch_or(&waiting, this_hart->bit, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!is_served(ticket)) {
        if (tells)
            sbi_wait_for_kick(__atomic_load_n(&lock.holder, __ATOMIC_RELAXED));
        else
            sleep_until_kicked();
    }
    __atomic_fetch_and(&waiting, ~(uint32_t)this_hart->bit, __ATOMIC_SEQ_CST);
    __atomic_store_n(own, 0, __ATOMIC_RELAXED);
}

static void spin(uint32_t ticket) {
    uint64_t spins = 0;
    while (!is_served(ticket)) {
        spins++;
        pause();
        hart_stop_if_told();
        if (waits && spins % SPINS == 0)
            wait_for_kick(ticket);
    }
    this_hart->lock.contended++;
    this_hart->lock.spins += spins;
}

void kernel_lock_take(void) {
    uint32_t ticket = __atomic_fetch_add(&lock.next, 1, __ATOMIC_RELAXED);
    this_hart->lock.taken++;
    if (!is_served(ticket))
        spin(ticket);
    hart_stop_if_told();
    __atomic_store_n(&lock.holder, this_hart->id, __ATOMIC_RELAXED);
}

static void kick(uint32_t ticket) {
    for (int i = 0; i < hart_count; i++) {
        if (__atomic_load_n(&waiting_for[i], __ATOMIC_RELAXED) == ticket + 1ul) {
            this_hart->lock.kicks++;
            if (tells)
                sbi_kick(harts[i].id);
            else
                sbi_send_interrupt(1ul << harts[i].id);
        }
    }
}

void kernel_lock_release(void) {
    uint32_t next = lock.serving + 1;
    __atomic_store_n(&lock.serving, next, __ATOMIC_RELEASE);
    if (!waits)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&waiting, __ATOMIC_RELAXED))
        kick(next);
}
