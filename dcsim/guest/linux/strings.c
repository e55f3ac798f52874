// Takes a text apart and puts it together again: words=<n> times.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv) {
    int times = argc > 1 ? atoi(argv[1]) : 3;
    const char *text = "the quick brown fox jumps over the lazy dog and runs into the wood";
    for (int round = 0; round < times; round++) {
        char copy[128], *words[32];
        int count = 0;
        strcpy(copy, text);
        for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
            words[count++] = word;
        qsort(words, count, sizeof *words, by_name);
        words[round % count][0] = (char)toupper(words[round % count][0]);
        for (int i = 0; i < count; i++)
            printf("%s%s", i ? " " : "", words[i]);
        printf("\n%d %zu %s\n", count, strlen(text), strstr(text, "lazy"));
    }
    char buffer[16];
    printf("%d %s\n", snprintf(buffer, sizeof buffer, "%s", text), buffer);
    printf("%d %d\n", memcmp("abc", "abd", 3) < 0, strncasecmp("ABC", "abc", 3));
    return 0;
}
