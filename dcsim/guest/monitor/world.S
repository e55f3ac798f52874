// The way out of the guest and back: see world.h for the structure at t6.
//
// sscratch holds its address in the window. The code runs at its address in the window, in both page
// tables; `serve` is in the monitor's alone.
    .equ    GUEST_SATP, 256
    .equ    MONITOR_SATP, 264
    .equ    STACK, 272
    .equ    SERVE, 280
    .equ    ENTER, 288

    .section .window, "ax"
    .balign 4096
    .globl window_code, window_exit, window_enter
window_code:
window_exit:
    csrrw   t6, sscratch, t6
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
    ld      t0, MONITOR_SATP(t6)
    csrw    satp, t0
    csrrw   t0, sscratch, t6        // x31 of the guest
    sd      t0, 248(t6)
    ld      sp, STACK(t6)
    ld      t0, SERVE(t6)
    jr      t0

window_enter:
    csrr    t6, sscratch
    ld      t0, GUEST_SATP(t6)
    csrw    satp, t0
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
    sret

    .text
    .globl world_enter
world_enter:
    lla     t0, world_page
    ld      t0, ENTER(t0)
    jr      t0
