// Grows texts on the heap, and writes into memory as into a file.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *joined(const char *between, ...) {
    char *text = calloc(1, 1);
    size_t length = 0;
    va_list parts;
    va_start(parts, between);
    for (const char *part; (part = va_arg(parts, const char *));) {
        text = realloc(text, length + strlen(between) + strlen(part) + 1);
        length += (size_t)sprintf(text + length, "%s%s", length ? between : "", part);
    }
    va_end(parts);
    return text;
}

int main(void) {
    char *text = joined(", ", "one", "two", "three", (char *)NULL), *memory = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&memory, &size);
    for (int i = 0; i < 500; i++)
        fprintf(file, "%d:%s;", i, text);
    fclose(file);
    printf("%s %zu %.20s\n", text, size, memory + size - 20);
    file = fmemopen(memory, size, "r");
    int number, count = 0;
    char word[32];
    while (fscanf(file, "%d:%31[^;];", &number, word) == 2)
        count += number % 2 && strlen(word) == 15;
    printf("%d %d\n", count, number);
    fclose(file);
    char *copy = strdup(text), *aligned = aligned_alloc(256, 512);
    printf("%d %d\n", strcmp(copy, text), (int)((size_t)aligned % 256));
    free(copy), free(aligned), free(memory), free(text);
    void *blocks[200];
    for (int i = 0; i < 200; i++)
        memset(blocks[i] = malloc((size_t)i * 97 + 1), i, (size_t)i * 97 + 1);
    int right = 0;
    for (int i = 0; i < 200; i++)
        right += ((unsigned char *)blocks[i])[i * 97] == i, free(blocks[i]);
    printf("%d %d\n", right, malloc((size_t)-1 / 2) == NULL);
    return 0;
}
