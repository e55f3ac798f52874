// Lets timers ring, and waits for them in several ways.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t rings;

static void on_ring(int signal) { rings++; }

int main(void) {
    struct sigaction action = {.sa_handler = on_ring};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}}, left;
    setitimer(ITIMER_REAL, &timer, NULL);
    while (rings < 4)
        pause();
    getitimer(ITIMER_REAL, &left);
    printf("%d %d\n", rings >= 4, (int)left.it_interval.tv_usec);
    timer = (struct itimerval){{0, 0}, {0, 10000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    struct timespec nap = {5, 0}, rest;
    int slept = nanosleep(&nap, &rest);
    printf("%d %d %d\n", slept, errno == EINTR, rest.tv_sec == 4);
    sigset_t held, pending;
    sigemptyset(&held);
    sigaddset(&held, SIGALRM);
    sigprocmask(SIG_BLOCK, &held, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    usleep(30000);
    sigpending(&pending);
    int before = rings;
    printf("%d\n", sigismember(&pending, SIGALRM));
    sigemptyset(&held);
    sigsuspend(&held);
    printf("%d\n", rings - before);
    return 0;
}
