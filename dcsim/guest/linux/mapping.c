// Maps memory and files, changes what may be done with it, and survives what may not.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;
static char *volatile touched;

static void on_fault(int signal, siginfo_t *info, void *context) {
    touched = info->si_addr;
    siglongjmp(back, info->si_code);
}

static int try_write(char *at) {
    int code = sigsetjmp(back, 1);
    if (!code)
        *(volatile char *)at = 1;
    return code;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    char *pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("%d %d\n", pages != MAP_FAILED, pages[4096]);
    mprotect(pages + 4096, 4096, PROT_READ);
    printf("%d %d %d\n", try_write(pages), try_write(pages + 4096), touched == pages + 4096);
    munmap(pages + 2 * 4096, 4096);
    printf("%d %d %d\n", try_write(pages + 2 * 4096 + 5), (int)(touched - pages) - 2 * 4096, try_write(NULL));
    strcpy(pages + 3 * 4096, "kept");
    char *grown = mremap(pages + 3 * 4096, 4096, 64 * 4096, MREMAP_MAYMOVE);
    grown[63 * 4096] = 7;
    printf("%s %d\n", grown, grown[63 * 4096]);
    int file = open("mapped.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
    write(file, "content of a file", 17);
    char *shown = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    shown[0] = 'C';
    char first = 0;
    pread(file, &first, 1, 0);
    printf("%s %c %d\n", shown, first, shown[17]);
    printf("%d\n", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    close(file);
    return unlink("mapped.tmp");
}
