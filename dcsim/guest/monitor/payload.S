// The guest kernel, with its programs.
    .section .rodata
    .balign 16
    .globl payload
payload:
    .incbin "kernel.elf"
