// Finds patterns in texts and names.
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>

static void find(const char *pattern, const char *text) {
    regex_t compiled;
    regmatch_t found[4];
    int error = regcomp(&compiled, pattern, REG_EXTENDED);
    if (error) {
        printf("%s: wrong\n", pattern);
        return;
    }
    printf("%s:", pattern);
    for (int at = 0; !regexec(&compiled, text + at, 4, found, at ? REG_NOTBOL : 0); at += found[0].rm_eo + !found[0].rm_eo)
        printf(" [%.*s|%.*s]", (int)(found[0].rm_eo - found[0].rm_so), text + at + found[0].rm_so,
               found[1].rm_so < 0 ? 0 : (int)(found[1].rm_eo - found[1].rm_so), text + at + (found[1].rm_so < 0 ? 0 : found[1].rm_so));
    printf("\n");
    regfree(&compiled);
}

int main(void) {
    const char *text = "key=value; other = 42; last=end";
    find("([a-z]+) *= *([a-z0-9]+)", text);
    find("[0-9]+", text);
    find("^(k|o)", text);
    find("e(n|y)d?", text);
    find("(unclosed", text);
    printf("%d %d %d\n", fnmatch("*.c", "main.c", 0), fnmatch("m[a-l]*", "main.c", 0), fnmatch("*", "a/b", FNM_PATHNAME) == FNM_NOMATCH);
    return 0;
}
