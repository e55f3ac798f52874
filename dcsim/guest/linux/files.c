// Writes, reads, moves and removes files.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    FILE *file = fopen("note.txt", "w+");
    if (!file)
        return printf("cannot write: %s\n", strerror(errno)), 1;
    for (int i = 0; i < 1000; i++)
        fprintf(file, "line %d\n", i);
    fseek(file, 50, SEEK_SET);
    char line[64];
    printf("%s", fgets(line, sizeof line, file));
    printf("%ld\n", ftell(file));
    fclose(file);
    struct stat status;
    stat("note.txt", &status);
    printf("%lld %o %d\n", (long long)status.st_size, status.st_mode & 0777, S_ISREG(status.st_mode));
    printf("%d %d\n", rename("note.txt", "other.txt"), access("note.txt", F_OK) < 0 ? errno == ENOENT : 0);
    int fd = open("other.txt", O_RDWR | O_APPEND);
    printf("%zd %lld\n", write(fd, "end\n", 4), (long long)lseek(fd, 0, SEEK_END));
    char part[8] = {0};
    printf("%zd %s", pread(fd, part, 7, 0), part);
    printf("%d %lld\n", ftruncate(fd, 10), (long long)lseek(fd, 0, SEEK_END));
    printf("%d %d\n", unlink("other.txt"), fstat(fd, &status));
    printf("%d %zd\n", (int)status.st_nlink, pread(fd, part, 7, 5));
    close(fd);
    printf("%d\n", open("other.txt", O_RDONLY) < 0 && errno == ENOENT);
    return 0;
}
