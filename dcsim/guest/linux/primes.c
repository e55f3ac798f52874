// Finds the primes below <limit>.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int limit = argc > 1 ? atoi(argv[1]) : 200000, count = 0;
    char *composite = calloc((size_t)limit, 1);
    long sum = 0;
    for (int i = 2; i < limit; i++) {
        if (composite[i])
            continue;
        count++;
        sum += i;
        for (long j = (long)i * i; j < limit; j += i)
            composite[j] = 1;
    }
    printf("%d primes below %d, sum %ld\n", count, limit, sum);
    return 0;
}
