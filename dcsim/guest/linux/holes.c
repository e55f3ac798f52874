// Writes far behind a file's end, at places, and cuts it.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int main(void) {
    const char *path = "holes.tmp";
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        return perror(path), 1;
    char bytes[16] = {1};
    struct stat status;
    printf("%ld %zd\n", (long)lseek(file, 100000, SEEK_SET), write(file, "end", 3));
    printf("%zd %d\n", pread(file, bytes, 16, 50000), bytes[0]);
    printf("%zd %zd\n", pwrite(file, "middle", 6, 65530), pread(file, bytes, 6, 65530));
    printf("%.6s %ld\n", bytes, (long)lseek(file, 0, SEEK_CUR));
    struct iovec parts[] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
    printf("%zd %ld\n", writev(file, parts, 3), (long)lseek(file, -13, SEEK_CUR));
    struct iovec into[] = {{bytes, 5}, {bytes + 8, 8}};
    memset(bytes, '-', sizeof bytes);
    printf("%zd %.16s\n", readv(file, into, 2), bytes);
    fstat(file, &status);
    printf("%ld %o\n", (long)status.st_size, status.st_mode & 0777);
    printf("%d %ld\n", ftruncate(file, 10), (long)lseek(file, 0, SEEK_END));
    int other = dup(file);
    lseek(other, 4, SEEK_SET);
    printf("%ld %ld %d\n", (long)lseek(file, 0, SEEK_CUR), (long)lseek(file, -5, SEEK_SET), fcntl(file, F_GETFL) & O_ACCMODE);
    int again = open(path, O_WRONLY | O_APPEND);
    printf("%zd %ld %d\n", write(again, "more", 4), (long)lseek(again, 0, SEEK_CUR), open(path, O_CREAT | O_EXCL, 0600));
    return close(file) + close(other) + close(again) + unlink(path);
}
