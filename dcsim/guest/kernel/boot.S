// The first instructions: from "paging off, at a physical address" to C in the high half.
//
// Entered by the firmware with a0 = hart id, a1 = physical address of the device tree. Both are
// passed on to kernel_start.
#include "hart.h"
#include "hypervisor.h"
#include "layout.h"

    .macro use_boot_table
    lla     t0, boot_table
    srli    t0, t0, 12
    li      t1, 8 << 60
    or      t0, t0, t1
    sfence.vma
    csrw    satp, t0
    .endm

    // Continues at the high address of the next instruction.
    .macro go_high
    li      t1, KERNEL_OFFSET
    lla     t0, 1f
    or      t0, t0, t1
    jr      t0
1:
    .endm

    .section .text.boot
    .globl boot
boot:
    mv      s0, a0
    mv      s1, a1

    // Is a hypervisor below that this kernel knows (hypervisor.h)? SBI: probe its extension.
    li      a7, 0x10
    li      a6, 3
    li      a0, HYPERVISOR_EXTENSION
    ecall
    seqz    a0, a0
    snez    s2, a1
    and     s2, s2, a0

    // And is this user mode? Then there are no registers to set.
    li      s3, 0
    beqz    s2, in_supervisor_mode
    li      a7, HYPERVISOR_EXTENSION
    li      a6, HYPERVISOR_FEATURES
    ecall
    andi    s3, a1, HYPERVISOR_USER_MODE
    bnez    s3, to_high

in_supervisor_mode:
    csrw    sie, zero
    csrw    sscratch, zero

    // Sv39 with boot_table, which maps this code at both addresses; a hypervisor does that already.
    bnez    s2, to_high
    use_boot_table
to_high:
    go_high
    lla     tp, harts
    lla     sp, boot_stack_top
    lla     t0, bss_start
    lla     t1, image_end
clear_bss:
    sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, clear_bss
    lla     t0, hypervisor_present
    sb      s2, 0(t0)
    lla     t0, kernel_in_user_mode
    sb      s3, 0(t0)
    bnez    s3, start
    lla     t0, trap_entry
    csrw    stvec, t0
start:
    mv      a0, s0
    mv      a1, s1
    call    kernel_start

    // Another hart begins: a0 = hart id, a1 = its struct hart. What the first has found out holds for it
    // too, and the provisional page table is still there.
    .globl  boot_other
boot_other:
    mv      s1, a1
    lla     t0, hypervisor_present
    lbu     s2, 0(t0)
    lla     t0, kernel_in_user_mode
    lbu     s3, 0(t0)
    bnez    s3, other_to_high
    csrw    sie, zero
    csrw    sscratch, zero
    bnez    s2, other_to_high
    use_boot_table
other_to_high:
    go_high
    mv      tp, s1
    ld      sp, HART_STACK(tp)
    bnez    s3, begin
    lla     t0, trap_entry
    csrw    stvec, t0
begin:
    call    hart_begin

    // An ELF note, by which loaders know that this kernel can use the hypervisor: name, type 1, and
    // the version of the interface.
    .section .note.dcsim, "a", @note
    .balign 4
    .word   6, 4, 1
    .asciz  "dcsim"
    .balign 4
    .word   1

    // The page table used until kernel_map builds the real one: gigapages (VRWX, A and D set) for
    // the first 4 GiB at KERNEL_OFFSET, and the identity of the gigabyte that holds the kernel.
    .section .data.page, "aw"
    .balign PAGE_BYTES
    .globl boot_table
boot_table:
    .zero   2 * 8
    .dword  0x200000cf
    .zero   253 * 8
    .dword  0x000000cf, 0x100000cf, 0x200000cf, 0x300000cf
    .zero   252 * 8

    // The boot stack; later the stack of the idle loop.
    .section .data.page, "aw"
    .balign 16
    .zero   PAGE_BYTES
    .globl boot_stack_top
boot_stack_top:
