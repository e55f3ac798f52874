// Leaves functions by jumps, and calls others through tables.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf back;

static void deeper(int depth) {
    volatile char room[200];
    room[depth % 200] = (char)depth;
    if (depth == 40)
        longjmp(back, depth);
    deeper(depth + 1);
}

static int add(int a, int b) { return a + b; }
static int subtract(int a, int b) { return a - b; }
static int multiply(int a, int b) { return a * b; }
static int divide(int a, int b) {
    if (!b)
        longjmp(back, 99);
    return a / b;
}

static int evaluate(const char *text) {
    int stack[16], top = 0;
    static int (*const operations[])(int, int) = {['+'] = add, ['-'] = subtract, ['*'] = multiply, ['/'] = divide};
    for (; *text; text++) {
        if (*text >= '0' && *text <= '9')
            stack[top++] = *text - '0';
        else if (*text != ' ')
            top--, stack[top - 1] = operations[(int)*text](stack[top - 1], stack[top]);
    }
    return stack[0];
}

static void first(void) { puts("first registered, last called"); }
static void second(void) { puts("second"); }

int main(void) {
    volatile int rounds = 0;
    int value = setjmp(back);
    rounds++;
    printf("%d %d\n", value, rounds);
    if (value == 0)
        deeper(1);
    if (value == 40)
        printf("%d\n", evaluate("3 4 + 5 * 2 -")), evaluate("8 0 /");
    switch (value % 10) {
    case 9:
        puts("divided by nothing");
        break;
    default:
        puts("how did that happen?");
    }
    atexit(first), atexit(second);
    exit(rounds);
}
