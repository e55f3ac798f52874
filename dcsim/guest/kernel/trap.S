// The way into the kernel and back.
//
// sscratch holds the running process's trap frame while it runs, and zero while the kernel runs.
// The kernel has interrupts off and never touches unmapped memory, so a trap out of it is a bug,
// but for interrupts at the one place that lets them in.
// Register xN of the process is at 8 * N of the frame; see struct trap_frame.
#include "hypervisor.h"

    .equ    FRAME_COUNTER, 0
    .equ    FRAME_STATUS, 256
    .equ    FRAME_KERNEL_STACK, 264

    // All registers of the process but x31, which is the pointer to its frame; and all.
    .macro save_registers
    sd      x1, 8(t6)
    sd      x2, 16(t6)
    sd      x3, 24(t6)
    sd      x4, 32(t6)
    sd      x5, 40(t6)
    sd      x6, 48(t6)
    sd      x7, 56(t6)
    sd      x8, 64(t6)
    sd      x9, 72(t6)
    sd      x10, 80(t6)
    sd      x11, 88(t6)
    sd      x12, 96(t6)
    sd      x13, 104(t6)
    sd      x14, 112(t6)
    sd      x15, 120(t6)
    sd      x16, 128(t6)
    sd      x17, 136(t6)
    sd      x18, 144(t6)
    sd      x19, 152(t6)
    sd      x20, 160(t6)
    sd      x21, 168(t6)
    sd      x22, 176(t6)
    sd      x23, 184(t6)
    sd      x24, 192(t6)
    sd      x25, 200(t6)
    sd      x26, 208(t6)
    sd      x27, 216(t6)
    sd      x28, 224(t6)
    sd      x29, 232(t6)
    sd      x30, 240(t6)
    .endm
    .macro load_registers
    ld      x1, 8(t6)
    ld      x2, 16(t6)
    ld      x3, 24(t6)
    ld      x4, 32(t6)
    ld      x5, 40(t6)
    ld      x6, 48(t6)
    ld      x7, 56(t6)
    ld      x8, 64(t6)
    ld      x9, 72(t6)
    ld      x10, 80(t6)
    ld      x11, 88(t6)
    ld      x12, 96(t6)
    ld      x13, 104(t6)
    ld      x14, 112(t6)
    ld      x15, 120(t6)
    ld      x16, 128(t6)
    ld      x17, 136(t6)
    ld      x18, 144(t6)
    ld      x19, 152(t6)
    ld      x20, 160(t6)
    ld      x21, 168(t6)
    ld      x22, 176(t6)
    ld      x23, 184(t6)
    ld      x24, 192(t6)
    ld      x25, 200(t6)
    ld      x26, 208(t6)
    ld      x27, 216(t6)
    ld      x28, 224(t6)
    ld      x29, 232(t6)
    ld      x30, 240(t6)
    ld      x31, 248(t6)
    .endm

    .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw   t6, sscratch, t6
    beqz    t6, trap_in_kernel
    save_registers
    csrrw   t0, sscratch, zero      // x31 of the process; from now on this is the kernel
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

    // Reported on the boot stack, whatever the current one looks like.
trap_is_a_bug:
    lla     sp, boot_stack_top
    tail    trap_in_kernel_report

    // The same in user mode, where the hypervisor has exchanged t6 and the scratch of the shared page.
    .balign 4
    .globl trap_entry_in_user_mode
trap_entry_in_user_mode:
    beqz    t6, trap_in_user_mode_is_a_bug
    save_registers
    lla     t1, hypervisor_shared
    ld      t0, SHARED_SCRATCH(t1)
    sd      t0, 248(t6)
    sd      zero, SHARED_SCRATCH(t1)
    ld      t0, SHARED_COUNTER(t1)
    sd      t0, FRAME_COUNTER(t6)
    ld      t0, SHARED_STATUS(t1)
    sd      t0, FRAME_STATUS(t6)
    j       trapped

return_by_call:
    lla     t1, hypervisor_shared
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
    lla     t1, hypervisor_shared
    sd      zero, SHARED_SCRATCH(t1)
    j       trap_is_a_bug
