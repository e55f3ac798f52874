// The first instructions. Entered by the firmware with a0 = hart id, a1 = physical address of the
// device tree, paging off; both are passed on to monitor_start.
    .section .text.boot
    .globl boot
boot:
    csrw    sie, zero
    lla     sp, monitor_stack_top
    lla     t0, bss_start
    lla     t1, image_end
clear_bss:
    sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, clear_bss
    call    monitor_start

    .bss
    .balign 16
    .zero   16384
    .globl monitor_stack_top
monitor_stack_top:
