// Tells what files hold, or why it cannot.
#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        char line[256];
        if (!file)
            printf("%s: %s\n", argv[i], strerror(errno));
        while (file && fgets(line, sizeof line, file))
            fputs(line, stdout);
        if (file)
            fclose(file);
    }
    return 0;
}
