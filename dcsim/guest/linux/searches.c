// Keeps words in a hash table, a balanced tree and a sorted array.
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int printed;

static int by_text(const void *a, const void *b) { return strcmp(a, b); }
static int by_pointer(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void show(const void *node, VISIT visit, int depth) {
    if ((visit == postorder || visit == leaf) && printed++ < 10)
        printf("%s ", *(char *const *)node);
}

int main(void) {
    static char words[300][8];
    char *sorted[300];
    void *root = NULL;
    hcreate(400);
    for (int i = 0; i < 300; i++) {
        sprintf(words[i], "w%05d", i * 7919 % 100003);
        hsearch((ENTRY){words[i], words[i] + 1}, ENTER);
        tsearch(words[i], &root, by_text);
        sorted[i] = words[i];
    }
    qsort(sorted, 300, sizeof *sorted, by_pointer);
    twalk(root, show);
    printf("\n%s %s\n", sorted[0], sorted[299]);
    char wanted[] = "w15838", *pointer = wanted;
    ENTRY *entry = hsearch((ENTRY){wanted, NULL}, FIND);
    char **found = bsearch(&pointer, sorted, 300, sizeof *sorted, by_pointer);
    printf("%s %d %d\n", entry ? (char *)entry->data : "none", found ? (int)(found - sorted) : -1, tfind("none", &root, by_text) == NULL);
    while (root)
        tdelete(*(void **)root, &root, by_text);
    hdestroy();
    return 0;
}
