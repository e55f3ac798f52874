// Waits for pipes and for time.
#include <poll.h>
#include <stdio.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(void) {
    int a[2], b[2];
    pipe(a);
    pipe(b);
    struct pollfd files[] = {{.fd = a[0], .events = POLLIN}, {.fd = b[0], .events = POLLIN}, {.fd = b[1], .events = POLLOUT}};
    printf("%d %d\n", poll(files, 3, 0), files[2].revents == POLLOUT);
    double start = now();
    printf("%d %d\n", poll(files, 2, 20), now() - start >= 0.02);
    if (fork() == 0) {
        usleep(5000);
        write(b[1], "x", 1);
        _exit(0);
    }
    printf("%d %d %d\n", poll(files, 2, 1000), files[0].revents, files[1].revents);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(a[0], &set);
    FD_SET(b[0], &set);
    struct timeval wait = {.tv_sec = 1};
    printf("%d %d %d\n", select(b[0] + 1, &set, NULL, NULL, &wait), FD_ISSET(a[0], &set) != 0, FD_ISSET(b[0], &set) != 0);
    close(a[1]);
    printf("%d %d\n", poll(files, 1, 1000), (files[0].revents & POLLHUP) != 0);
    struct timespec nap = {.tv_nsec = 3000000};
    start = now();
    nanosleep(&nap, NULL);
    printf("%d\n", now() - start >= 0.003);
    return 0;
}
