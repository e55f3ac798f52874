// Reads and writes a file by way of the library: positions, buffers, single characters.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    FILE *file = fopen("streams.tmp", "w+");
    char line[64];
    if (!file)
        return perror("streams.tmp"), 1;
    for (int i = 0; i < 300; i++)
        fprintf(file, "line %03d\n", i);
    printf("%ld\n", ftell(file));
    fseek(file, 9 * 100, SEEK_SET);
    fgets(line, sizeof line, file);
    printf("%s", line);
    int first = getc(file);
    ungetc('L', file);
    fgets(line, sizeof line, file);
    printf("%c %s", first, line);
    fseek(file, -9, SEEK_END);
    fputs("last", file);
    fflush(file);
    rewind(file);
    int count = 0, longest = 0;
    while (fgets(line, sizeof line, file)) {
        count++;
        longest = (int)strlen(line) > longest ? (int)strlen(line) : longest;
    }
    printf("%d %d %s%d %d\n", count, longest, line, feof(file) != 0, ferror(file));
    fclose(file);
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("a"), printf("b"), write(1, "c\n", 2);
    printf("%d %d\n", remove("/no/such/file"), fopen("/no/such/file", "r") == NULL);
    perror("as expected");
    return remove("streams.tmp");
}
