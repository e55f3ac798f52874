// Grows a binary tree of <n> keys on the heap, cuts half of them out and takes it down.
#include <stdio.h>
#include <stdlib.h>

struct node {
    unsigned key;
    struct node *child[2];
};

static struct node **find(struct node **at, unsigned key) {
    while (*at && (*at)->key != key)
        at = &(*at)->child[key > (*at)->key];
    return at;
}

static void cut(struct node **at) {
    struct node *old = *at, **next = &old->child[1];
    if (old->child[0] && old->child[1]) {
        while ((*next)->child[0])
            next = &(*next)->child[0];
        old->key = (*next)->key;
        cut(next);
        return;
    }
    *at = old->child[0] ? old->child[0] : old->child[1];
    free(old);
}

static int depth(const struct node *node) {
    if (!node)
        return 0;
    int left = depth(node->child[0]), right = depth(node->child[1]);
    return 1 + (left > right ? left : right);
}

static unsigned long take_down(struct node *node) {
    if (!node)
        return 0;
    unsigned long sum = node->key + take_down(node->child[0]) + take_down(node->child[1]);
    free(node);
    return sum;
}

int main(int argc, char **argv) {
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1000, key = 1;
    struct node *root = NULL;
    for (unsigned i = 0; i < n; i++) {
        key = key * 1664525 + 1013904223;
        struct node **at = find(&root, key >> 8);
        if (!*at) {
            *at = calloc(1, sizeof **at);
            (*at)->key = key >> 8;
        }
    }
    printf("%d\n", depth(root));
    key = 1;
    for (unsigned i = 0; i < n; i++) {
        key = key * 1664525 + 1013904223;
        struct node **at = find(&root, key >> 8);
        if (i % 2 && *at)
            cut(at);
    }
    printf("%d %lu\n", depth(root), take_down(root) % 1000003);
    return 0;
}
