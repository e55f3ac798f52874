// Ends as it is told: exit <n>, signal <n>, abort, fault, or by returning.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "return";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    printf("%s %d\n", how, number);
    fflush(stdout);
    if (!strcmp(how, "exit"))
        _exit(number);
    if (!strcmp(how, "signal"))
        raise(number);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "fault"))
        *(volatile int *)8 = 1;
    return 3;
}
