// Catches, holds back, ignores and waits for signals.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t seen, depth;
static sigjmp_buf back;
static volatile double kept = 1.5;

static void note(int signal) {
    seen = seen * 100 + signal;
    kept *= 2;
}

static void fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    depth = signal * 1000 + (info->si_addr == (void *)64);
    siglongjmp(back, 1);
}

int main(void) {
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    double before = kept;
    raise(SIGUSR1);
    printf("%d %g\n", (int)seen, kept / before);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &old);
    seen = 0;
    raise(SIGUSR2);
    raise(SIGUSR1);
    sigpending(&set);
    printf("%d %d\n", (int)seen, sigismember(&set, SIGUSR1) && sigismember(&set, SIGUSR2));
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("%d\n", seen == SIGUSR1 * 100 + SIGUSR2 || seen == SIGUSR2 * 100 + SIGUSR1);
    struct sigaction catch = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &catch, NULL);
    if (!sigsetjmp(back, 1))
        *(volatile int *)64 = 1;
    printf("%d\n", (int)depth);
    static char stack[16384];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&other, NULL);
    catch.sa_flags |= SA_ONSTACK;
    sigaction(SIGSEGV, &catch, NULL);
    if (!sigsetjmp(back, 1))
        *(volatile int *)64 = 1;
    printf("%d\n", (int)depth);
    seen = 0;
    struct itimerval timer = {.it_value = {.tv_usec = 2000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (!seen)
        pause();
    printf("%d\n", (int)seen);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTERM, SIG_DFL);
        for (;;)
            pause();
    }
    kill(child, SIGTERM);
    int status;
    waitpid(child, &status, 0);
    printf("%d %d\n", WIFSIGNALED(status), WTERMSIG(status));
    signal(SIGPIPE, SIG_IGN);
    int ends[2];
    pipe(ends);
    close(ends[0]);
    printf("%zd %d\n", write(ends[1], "x", 1), errno == EPIPE);
    abort();
}
