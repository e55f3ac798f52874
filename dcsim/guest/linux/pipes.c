// Sends numbers through a chain of processes.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int stages = argc > 1 ? atoi(argv[1]) : 4, input = -1, first = -1;
    for (int stage = 0; stage <= stages; stage++) {
        int ends[2];
        if (pipe(ends))
            return 1;
        if (stage == 0) {
            first = ends[1];
            input = ends[0];
            continue;
        }
        if (fork() == 0) {
            close(first);
            close(ends[0]);
            int number;
            while (read(input, &number, sizeof number) == sizeof number) {
                number = number * 2 + stage;
                write(ends[1], &number, sizeof number);
            }
            _exit(stage);
        }
        close(input);
        close(ends[1]);
        input = ends[0];
    }
    for (int number = 0; number < 1000; number++)
        write(first, &number, sizeof number);
    close(first);
    long sum = 0;
    int number, count = 0;
    while (read(input, &number, sizeof number) == sizeof number)
        sum += number, count++;
    printf("%d numbers, sum %ld\n", count, sum);
    int status, statuses = 0;
    while (wait(&status) > 0)
        statuses += WEXITSTATUS(status);
    printf("statuses %d\n", statuses);
    return 0;
}
