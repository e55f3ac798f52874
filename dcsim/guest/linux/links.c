// Makes links of both kinds, and links that lead nowhere or in circles.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void tell(const char *path) {
    int fd = open(path, O_RDONLY);
    printf("%s: %s\n", path, fd < 0 ? strerror(errno) : "opens");
    close(fd);
}

int main(void) {
    int fd = open("real", O_CREAT | O_WRONLY, 0644);
    write(fd, "content\n", 8);
    close(fd);
    symlink("real", "soft");
    link("real", "hard");
    symlink("nowhere", "dangling");
    symlink("circle-b", "circle-a");
    symlink("circle-a", "circle-b");
    symlink("..", "up");
    const char *paths[] = {"soft", "hard", "dangling", "circle-a", "soft/below", "./up/."};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        tell(paths[i]);
    char target[PATH_MAX];
    ssize_t length = readlink("soft", target, sizeof target);
    printf("%.*s\n", (int)length, target);
    struct stat of_link, of_file;
    lstat("soft", &of_link);
    stat("soft", &of_file);
    printf("%d %lld %d %lld %d\n", S_ISLNK(of_link.st_mode), (long long)of_link.st_size, S_ISREG(of_file.st_mode), (long long)of_file.st_size, (int)of_file.st_nlink);
    printf("%d %d\n", readlink("real", target, sizeof target) < 0, errno == EINVAL);
    unlink("real");
    tell("soft");
    tell("hard");
    const char *names[] = {"soft", "hard", "dangling", "circle-a", "circle-b", "up"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        printf("%d", unlink(names[i]));
    printf("\n");
    return 0;
}
