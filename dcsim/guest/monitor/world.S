// The way out of the guest and back: see world.h for the structure at t6.
//
// sscratch holds its address in the window. The code runs at its address in the window, in both page
// tables; `serve` is in the monitor's alone.
#include "registers.h"

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
    save_registers
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
    load_registers
    sret

    .text
    .globl world_enter
world_enter:
    lla     t0, world_page
    ld      t0, ENTER(t0)
    jr      t0
