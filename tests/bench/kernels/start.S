# Entry from the firmware, and the trap path that `syscall.c` measures.

    .section .text.start, "ax"
    .globl _start
_start:
    la      sp, stack_top
    la      t0, bss_start
    la      t1, bss_end
1:  bgeu    t0, t1, 2f
    sd      zero, 0(t0)
    addi    t0, t0, 8
    j       1b
2:  call    enable_paging
    la      t0, trap
    csrw    stvec, t0
    li      t0, 0x6000              # sstatus.FS = dirty: floating point is on
    csrs    sstatus, t0
    call    bench_main

# A system call that does nothing: skip the ecall and go back. Any other trap ends the run.
    .balign 4
trap:
    csrw    sscratch, t0
    csrr    t0, scause
    addi    t0, t0, -8              # environment call from U-mode
    bnez    t0, leave
    beqz    a7, leave               # call 0: the user loop is done
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    csrr    t0, sscratch
    sret

leave:
    la      t0, saved_sp
    ld      sp, 0(t0)
    ld      ra, 0(sp)
    ld      s0, 8(sp)
    addi    sp, sp, 16
    ret

# run_in_user_mode(count)
    .globl run_in_user_mode
run_in_user_mode:
    addi    sp, sp, -16
    sd      ra, 0(sp)
    sd      s0, 8(sp)
    la      t0, saved_sp
    sd      sp, 0(t0)
    la      t0, user_loop
    li      t1, 0x40000000          # the user alias of the image, see harness.c
    add     t0, t0, t1
    csrw    sepc, t0
    li      t0, 0x100               # sstatus.SPP = U
    csrc    sstatus, t0
    sret

# user_loop(a0 = count): `count` system calls, then call 0.
    .balign 4096
user_loop:
    li      a7, 1
1:  ecall
    addi    a0, a0, -1
    bnez    a0, 1b
    li      a7, 0
    ecall
    .balign 4096

    .section .bss
    .balign 16
saved_sp:
    .space  16
    .space  16384
stack_top:
