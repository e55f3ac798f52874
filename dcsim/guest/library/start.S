// Where a program begins: argc and argv are already in a0 and a1, the stack is ready.
    .section .text.start, "ax"
    .globl start
start:
    call    main
    call    finish
