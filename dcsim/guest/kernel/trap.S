// The way into the kernel and back.
//
// sscratch holds the running process's trap frame while it runs, and zero while the kernel runs.
// The kernel has interrupts off and never touches unmapped memory, so a trap out of it is a bug,
// but for interrupts at the one place that lets them in.
// Register xN of the process is at 8 * N of the frame; see struct trap_frame.
#include "hart.h"
#include "hypervisor.h"
#include "registers.h"

    .equ    FRAME_COUNTER, 0
    .equ    FRAME_STATUS, 256
    .equ    FRAME_KERNEL_STACK, 264
    .equ    FRAME_HART, 272

    .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw   t6, sscratch, t6
    beqz    t6, trap_in_kernel
    save_registers
    csrrw   t0, sscratch, zero      // x31 of the process; from now on this is the kernel
    ld      tp, FRAME_HART(t6)
    sd      t0, 248(t6)
    csrr    t0, sepc
    sd      t0, FRAME_COUNTER(t6)
    csrr    t0, sstatus
    sd      t0, FRAME_STATUS(t6)

trapped:
    ld      sp, FRAME_KERNEL_STACK(t6)
    mv      s0, t6
    mv      a0, s0
    call    trap_serve

    // Back to the process whose trap frame is at s0.
    .globl trap_return
trap_return:
    call    trap_leave
    mv      t6, s0
    sd      tp, FRAME_HART(t6)
    lbu     t0, kernel_in_user_mode
    bnez    t0, return_by_call
    ld      t0, FRAME_COUNTER(t6)
    csrw    sepc, t0
    ld      t0, FRAME_STATUS(t6)
    csrw    sstatus, t0
    csrw    sscratch, t6
    load_registers
    sret

    // The kernel trapped. The code between the labels of interrupts.S wants a0, a1 and ra back; sepc
    // and sstatus stay what the trap made them, as nothing traps while the interrupt is served.
trap_in_kernel:
    csrw    sscratch, zero
    csrr    t0, scause
    bgez    t0, trap_is_a_bug
    csrr    t0, sepc
    lla     t1, interrupts_window
    bltu    t0, t1, trap_is_a_bug
    lla     t1, interrupts_window_last
    bltu    t1, t0, trap_is_a_bug
    addi    sp, sp, -32
    sd      ra, 0(sp)
    sd      a0, 8(sp)
    sd      a1, 16(sp)
    call    trap_serve_in_kernel
    ld      ra, 0(sp)
    ld      a0, 8(sp)
    ld      a1, 16(sp)
    addi    sp, sp, 32
    sret

    // Reported on the stack of the idle loop, whatever the current one looks like.
trap_is_a_bug:
    ld      sp, HART_STACK(tp)
    tail    trap_in_kernel_report

    // The same in user mode, where the hypervisor has exchanged t6 and the scratch of the shared page.
    .balign 4
    .globl trap_entry_in_user_mode
trap_entry_in_user_mode:
    beqz    t6, trap_in_user_mode_is_a_bug
    save_registers
    ld      tp, FRAME_HART(t6)
    ld      t1, HART_SHARED(tp)
    ld      t0, SHARED_SCRATCH(t1)
    sd      t0, 248(t6)
    sd      zero, SHARED_SCRATCH(t1)
    ld      t0, SHARED_COUNTER(t1)
    sd      t0, FRAME_COUNTER(t6)
    ld      t0, SHARED_STATUS(t1)
    sd      t0, FRAME_STATUS(t6)
    j       trapped

return_by_call:
    ld      t1, HART_SHARED(tp)
    ld      t0, FRAME_COUNTER(t6)
    sd      t0, SHARED_COUNTER(t1)
    ld      t0, FRAME_STATUS(t6)
    sd      t0, SHARED_STATUS(t1)
    ld      t0, 128(t6)
    sd      t0, SHARED_X16(t1)
    ld      t0, 136(t6)
    sd      t0, SHARED_X17(t1)
    sd      t6, SHARED_SCRATCH(t1)
    load_registers
    li      x16, HYPERVISOR_RETURN
    li      x17, HYPERVISOR_EXTENSION
    ecall                           // comes back only when it is refused

trap_in_user_mode_is_a_bug:
    ld      t1, HART_SHARED(tp)
    sd      zero, SHARED_SCRATCH(t1)
    j       trap_is_a_bug
