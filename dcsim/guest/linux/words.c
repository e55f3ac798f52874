// Counts lines, words, letters and digits of what it reads.
#include <ctype.h>
#include <stdio.h>

int main(void) {
    long lines = 0, words = 0, letters = 0, digits = 0;
    for (int last = ' ', next; (next = getchar()) != EOF; last = next) {
        lines += next == '\n';
        words += isspace(last) && !isspace(next);
        letters += isalpha(next) != 0;
        digits += isdigit(next) != 0;
    }
    printf("%ld %ld %ld %ld %d\n", lines, words, letters, digits, ferror(stdin));
    return 0;
}
