// Executes itself, and tells how children end.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "child")) {
        printf("child %s %s\n", argv[2], getenv("COLOUR") ? getenv("COLOUR") : "none");
        return atoi(argv[2]);
    }
    fflush(stdout);
    int status;
    char self[] = "/programs", *path = argc > 1 ? argv[1] : self;
    for (int i = 0; i < 3; i++) {
        char number[] = {(char)('4' + i), 0};
        char *arguments[] = {self, argv[0], "child", number, NULL};
        char *environment[] = {"COLOUR=red", NULL};
        pid_t child;
        if (i == 2)
            posix_spawn(&child, path, NULL, NULL, arguments, environ);
        else if ((child = i ? vfork() : fork()) == 0) {
            execve(path, arguments, environment);
            _exit(99);
        }
        waitpid(child, &status, 0);
        printf("%d %d\n", WIFEXITED(status), WEXITSTATUS(status));
        fflush(stdout);
    }
    pid_t child = fork();
    if (child == 0) {
        execl("/no/such/program", "x", NULL);
        _exit(3);
    }
    waitpid(child, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    child = fork();
    if (child == 0)
        *(volatile int *)0 = 1;
    waitpid(child, &status, 0);
    printf("%d %d\n", WIFSIGNALED(status), WTERMSIG(status));
    return 42;
}
