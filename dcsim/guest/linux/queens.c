// Counts the ways to place <n> queens so that none attacks another.
#include <stdio.h>
#include <stdlib.h>

static long place(unsigned all, unsigned columns, unsigned left, unsigned right) {
    long ways = columns == all;
    for (unsigned free = all & ~(columns | left | right); free; free &= free - 1) {
        unsigned one = free & -free;
        ways += place(all, columns | one, (left | one) << 1, (right | one) >> 1);
    }
    return ways;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 6;
    printf("%ld\n", place((1u << n) - 1, 0, 0, 0));
    return n;
}
