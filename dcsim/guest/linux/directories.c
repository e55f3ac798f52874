// Makes a tree of directories, walks it and removes it.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void walk(const char *path, int depth) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char below[256];
        if (entries[i]->d_name[0] != '.') {
            printf("%*s%s %d\n", depth * 2, "", entries[i]->d_name, entries[i]->d_type == DT_DIR);
            snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name);
            if (entries[i]->d_type == DT_DIR)
                walk(below, depth + 1);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(void) {
    mkdir("tree", 0755);
    mkdir("tree/left", 0700);
    mkdir("tree/right", 0755);
    printf("%d %d\n", mkdir("tree/left", 0755), errno == EEXIST);
    close(open("tree/left/leaf", O_CREAT | O_WRONLY, 0600));
    printf("%d %d\n", rmdir("tree/left"), errno == ENOTEMPTY);
    walk("tree", 0);
    char before[256], path[256];
    getcwd(before, sizeof before);
    printf("%d\n", chdir("tree/left/../right"));
    getcwd(path, sizeof path);
    printf("%s\n", path + (strcmp(before, "/") ? strlen(before) : 0));
    chdir("../..");
    printf("%d\n", rename("tree/left", "tree/right/left"));
    walk("tree", 0);
    printf("%d %d\n", rename("tree", "tree/right/in"), errno == EINVAL);
    unlink("tree/right/left/leaf");
    printf("%d%d%d\n", rmdir("tree/right/left"), rmdir("tree/right"), rmdir("tree"));
    return 0;
}
