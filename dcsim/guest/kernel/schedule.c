// Who runs.
#include "schedule.h"

#include "balloon.h"
#include "float_context.h"
#include "interrupts.h"
#include "print.h"
#include "switch.h"
#include "timer.h"

static struct process *queue_head, *queue_tail;

void make_ready(struct process *process) {
    process->state = READY;
    process->channel = NULL;
    process->wake_time = UINT64_MAX;
    process->next = NULL;
    if (queue_head)
        queue_tail->next = process;
    else
        queue_head = process;
    queue_tail = process;
}

static struct process *take_ready(void) {
    struct process *process = queue_head;
    if (process)
        queue_head = process->next;
    return process;
}

void schedule_share(void) {
    if (queue_head)
        hart_wake_one();
}

void schedule_arrived(void) {
    struct process *ended = this_hart->ended;
    this_hart->ended = NULL;
    if (ended)
        process_bury(ended);
}

// Goes on with the next ready process, or the idle loop. Returns when the caller's turn comes
// again.
static void give_up(void) {
    interrupts_assert_off();
    struct process *from = current(), *to = take_ready();
    if (to == from) {
        from->state = RUNNING;
        return;
    }
    float_leave(from);
    this_hart->current = to;
    if (to)
        to->state = RUNNING;
    switch_context(&from->context, to ? &to->context : &this_hart->idle);
    schedule_arrived();
}

void wait_on(const void *channel) {
    current()->state = WAITING;
    current()->channel = channel;
    give_up();
}

void wait_until(uint64_t time) {
    current()->wake_time = time;
    current()->timed_by = this_hart;
    if (time < this_hart->timer.earliest_wake)
        this_hart->timer.earliest_wake = time;
    timer_want(time);
    wait_on(NULL);
}

void yield(void) {
    make_ready(current());
    give_up();
}

void wake(const void *channel) {
    for (int slot = 0; slot < PROCESS_LIMIT; slot++) {
        struct process *process = processes[slot];
        if (process && process->state == WAITING && process->channel == channel)
            make_ready(process);
    }
}

static bool sleeps_here(const struct process *process) {
    return process && process->state == WAITING && process->wake_time != UINT64_MAX &&
           process->timed_by == this_hart;
}

void wake_sleepers(uint64_t now) {
    uint64_t *earliest = &this_hart->timer.earliest_wake;
    if (now < *earliest)
        return;
    *earliest = UINT64_MAX;
    for (int slot = 0; slot < PROCESS_LIMIT; slot++) {
        struct process *process = processes[slot];
        if (!sleeps_here(process))
            continue;
        if (process->wake_time <= now)
            make_ready(process);
        else if (process->wake_time < *earliest)
            *earliest = process->wake_time;
    }
}

noreturn void schedule_end(void) {
    struct process *process = current();
    process->state = ENDED;
    if (process->parent)
        wake(process->parent);
    else
        this_hart->ended = process;
    give_up();
    panic("an ended process ran");
}

// Time slices are of no use while nobody runs: only sleepers and devices end the wait.
noreturn void idle_loop(void) {
    for (;;) {
        bool unfinished = balloon_work();
        struct process *process = take_ready();
        if (!process && unfinished)
            continue;
        if (!process) {
            balloon_idle();
            timer_idle();
            hart_sleep();
            continue;
        }
        timer_busy();
        process->state = RUNNING;
        this_hart->current = process;
        switch_context(&this_hart->idle, &process->context);
        schedule_arrived();
    }
}
