// What a trap means: an interrupt, a system call, a page fault, or the end of the process.
#include "balloon.h"
#include "fault.h"
#include "float_context.h"
#include "illegal.h"
#include "interrupts.h"
#include "kernel_lock.h"
#include "print.h"
#include "privilege.h"
#include "process.h"
#include "schedule.h"
#include "system_call.h"
#include "timer.h"

#define STATUS_KILLED 128      // plus the cause of the trap
#define STATUS_NO_MEMORY 137

static void kill(const char *reason, unsigned status) {
    const struct process *process = current();
    print("kernel: %s#%u killed: %s, at %lx, address %lx\n", process->program->name,
          process->instance, reason, process->frame.program_counter, trap_value());
    process_exit(status);
}

static void serve_page_fault(uint64_t cause) {
    enum access access = cause == CAUSE_STORE_PAGE_FAULT  ? ACCESS_WRITE
                         : cause == CAUSE_LOAD_PAGE_FAULT ? ACCESS_READ
                                                          : ACCESS_EXECUTE;
    switch (fault_serve(&current()->space, trap_value(), access)) {
    case FAULT_SERVED:
        break;
    case FAULT_FORBIDDEN:
        kill("page fault", STATUS_KILLED + (unsigned)cause);
        break;
    case FAULT_NO_MEMORY:
        kill("out of memory", STATUS_NO_MEMORY);
    }
}

static void serve_exception(struct trap_frame *frame, uint64_t cause) {
    switch (cause) {
    case CAUSE_USER_CALL:
        system_call_serve(frame);
        break;
    case CAUSE_FETCH_PAGE_FAULT:
    case CAUSE_LOAD_PAGE_FAULT:
    case CAUSE_STORE_PAGE_FAULT:
        serve_page_fault(cause);
        break;
    case CAUSE_ILLEGAL_INSTRUCTION:
        if (float_first_use(current()) || illegal_skip(current()))
            break;
        kill("illegal instruction", STATUS_KILLED + CAUSE_ILLEGAL_INSTRUCTION);
        break;
    default:
        kill("exception", STATUS_KILLED + (unsigned)cause);
    }
}

// Called by trap.S with the frame of the current process.
void trap_serve(struct trap_frame *frame) {
    uint64_t cause = trap_cause();
    if (several_harts)
        kernel_lock_take();
    ASSERT(frame == &current()->frame && !(frame->status & STATUS_FROM_SUPERVISOR));
    interrupts_expect_off(frame->status);
    if (cause & CAUSE_INTERRUPT) {
        interrupt_serve(cause);
        balloon_work();  // more is left for the next interrupt: the process goes on
    } else {
        serve_exception(frame, cause);
    }
    if (timer_slice_over())
        yield();
}

// Called by trap.S when an interrupt came in the middle of long work of the kernel.
void trap_serve_in_kernel(void) {
    interrupts_assert_off();
    interrupt_serve(trap_cause());
}

// Called by trap.S last before a process goes on: makes the hart's state that of the process.
void trap_leave(void) {
    interrupts_assert_off();
    address_space_use(&current()->space);
    float_enter(current());
    if (several_harts) {
        schedule_share();
        kernel_lock_release();
    }
}

// Called by trap.S when the kernel itself trapped and should not have.
void trap_in_kernel_report(void) {
    panic("trap in the kernel: cause %lx, at %lx, address %lx", trap_cause(), trap_counter(),
          trap_value());
}
