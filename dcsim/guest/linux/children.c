// Makes children that end in different ways, and tells how they did.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child(int kind) {
    fflush(stdout);
    pid_t id = fork();
    if (id)
        return id;
    if (kind == 0)
        _exit(7);
    if (kind == 1)
        raise(SIGTERM);
    if (kind == 2)
        *(volatile int *)NULL = 1;
    if (kind == 3)
        abort();
    pause();
    _exit(0);
}

int main(void) {
    for (int kind = 0; kind < 5; kind++) {
        pid_t id = child(kind);
        int status = 0;
        if (kind == 4) {
            printf("%d\n", waitpid(id, &status, WNOHANG));
            kill(id, SIGKILL);
        }
        printf("%d ", waitpid(id, &status, 0) == id);
        printf("%d %d %d\n", WIFEXITED(status), WIFEXITED(status) ? WEXITSTATUS(status) : -1,
               WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    pid_t early = fork();
    if (!early)
        _exit(1);
    pid_t late = fork();
    if (!late) {
        usleep(20000);
        _exit(2);
    }
    int first, second;
    printf("%d ", waitpid(late, &second, 0) == late);
    printf("%d %d %d\n", waitpid(early, &first, 0) == early, WEXITSTATUS(first), WEXITSTATUS(second));
    int ends[2], sum = 0;
    pipe(ends);
    for (int i = 0; i < 8; i++)
        if (!fork()) {
            char digit = (char)i;
            write(ends[1], &digit, 1);
            _exit(i);
        }
    close(ends[1]);
    for (char digit; read(ends[0], &digit, 1) == 1;)
        sum += digit;
    int status, total = 0, count = 0;
    while (wait(&status) > 0)
        total += WEXITSTATUS(status), count++;
    printf("%d %d %d\n", sum, total, count);
    return 0;
}
