// Makes calls that must fail, and tells why they did.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *what, long result) {
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "works");
}

int main(void) {
    char byte;
    static char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    tell("open", open("/no/such/file", O_RDONLY));
    tell("open a file's child", open("/dev/null/x", O_RDONLY));
    tell("open a long name", open(longest, O_RDONLY));
    tell("open nothing", open("", O_RDONLY));
    tell("open for writing", open("/", O_WRONLY));
    tell("close", close(77));
    tell("read", read(77, &byte, 1));
    tell("read a directory", read(open("/", O_RDONLY), &byte, 1));
    tell("write for reading", write(open("/dev/null", O_RDONLY), "x", 1));
    tell("write nowhere", write(1, (void *)8, 1));
    tell("write to a full device", write(open("/dev/full", O_WRONLY), "x", 1));
    int ends[2];
    pipe(ends);
    tell("seek", lseek(ends[0], 0, SEEK_SET));
    tell("seek back", lseek(open("/dev/zero", O_RDONLY), -5, SEEK_SET) < 0 ? -1 : 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    tell("read without waiting", read(ends[0], &byte, 1));
    tell("wait", wait(NULL));
    tell("kill", kill(99999, 0));
    tell("signal", sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
    tell("dup", dup2(77, 5));
    tell("map", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    tell("unmap", munmap((void *)1, 4096));
    tell("protect", mprotect((void *)0x5000000000, 4096, PROT_READ));
    tell("execute", execl("/dev/null", "x", NULL));
    tell("leave", chdir("/dev/null"));
    tell("remove", rmdir("/dev/null"));
    tell("unlink", unlink("/no/such/file"));
    return 3;
}
