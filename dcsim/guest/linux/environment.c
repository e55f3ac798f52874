// Tells its arguments, its variables and what it reads.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        printf("argument %d `%s`\n", i, argv[i]);
    for (char **each = environ; *each; each++)
        printf("%s\n", *each);
    setenv("ADDED", "yes", 1);
    printf("%s\n", getenv("ADDED"));
    int a, b, lines = 0;
    while (scanf("%d %d", &a, &b) == 2)
        printf("%d\n", a + b), lines++;
    printf("%d lines, %d\n", lines, feof(stdin) != 0);
    printf("%ld %ld %d\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK), isatty(1));
    return lines;
}
