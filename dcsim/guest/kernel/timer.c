// Time slices and wake-ups. The timer is set only to times at which something is to be done, and
// setting it to the same time again is left out: with a hypervisor below, each setting is an exit.
#include "timer.h"

#include "machine.h"
#include "privilege.h"
#include "sbi.h"
#include "schedule.h"
#include "settings.h"
#include "steal.h"

#define NEVER UINT64_MAX

static bool paused;  // time slices do not end, on any hart

static struct hart_timer *timer(void) {
    return &this_hart->timer;
}

// Time that others ran instead of us is nobody's time slice.
static uint64_t own_time(uint64_t now) {
    return now - stolen_ticks(this_hart);
}

static void arm(uint64_t time) {
    if (time == timer()->armed)
        return;
    timer()->armed = time;
    if (machine.has_supervisor_timer)
        CSR_WRITE(0x14d, time);  // stimecmp
    else
        sbi_set_timer(time);
}

static void arm_for_next(void) {
    uint64_t wake_time = timer()->earliest_wake, end = timer()->slice_end;
    if (paused || end == NEVER)
        end = NEVER;
    else
        end += stolen_ticks(this_hart);
    arm(wake_time < end ? wake_time : end);
}

uint64_t timer_ticks(uint64_t milliseconds) {
    return milliseconds * machine.timebase_hz / 1000;
}

void timer_start(void) {
    timer()->slice_end = timer()->earliest_wake = NEVER;
    arm(NEVER);
    interrupts_listen(INTERRUPT_TIMER);
}

void timer_interrupt(void) {
    uint64_t now = time_now();
    wake_sleepers(now);
    uint64_t own = own_time(now);
    if (own >= timer()->slice_end) {
        timer()->slice_over = true;
        timer()->slice_end = own + timer_ticks(settings.tick_ms);
    }
    arm_for_next();
}

bool timer_slice_over(void) {
    bool over = timer()->slice_over;
    timer()->slice_over = false;
    return over;
}

void timer_want(uint64_t time) {
    if (time < timer()->armed)
        arm(time);
}

void timer_busy(void) {
    timer()->slice_end = own_time(time_now()) + timer_ticks(settings.tick_ms);
    arm_for_next();
}

void timer_idle(void) {
    timer()->slice_end = NEVER;
    arm_for_next();
}

void timer_look(void) {
    arm_for_next();
}

void timer_pause(void) {
    paused = true;
    arm_for_next();
}

void timer_resume(void) {
    paused = false;
    timer_busy();
    harts_interrupt_others();
}
