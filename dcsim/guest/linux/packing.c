// Packs <bytes> of text by its letters' frequencies and unpacks it again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tree {
    long weight;
    int letter, left, right;
};
static struct tree nodes[512];
static char codes[256][64];

static void name(int node, char *code, int length) {
    if (nodes[node].left < 0) {
        code[length] = 0;
        strcpy(codes[nodes[node].letter], code);
        return;
    }
    code[length] = '0', name(nodes[node].left, code, length + 1);
    code[length] = '1', name(nodes[node].right, code, length + 1);
}

static int lightest(int count, char *used) {
    int best = -1;
    for (int i = 0; i < count; i++)
        if (!used[i] && (best < 0 || nodes[i].weight < nodes[best].weight))
            best = i;
    used[best] = 1;
    return best;
}

int main(int argc, char **argv) {
    int length = argc > 1 ? atoi(argv[1]) : 1000, count = 0;
    char *text = malloc((size_t)length + 1), used[512] = {0}, code[64];
    unsigned seed = 9;
    long weights[256] = {0};
    for (int i = 0; i < length; i++) {
        seed = seed * 1103515245 + 12345;
        text[i] = "eeeeeeeetttttaaaaooiinnsshrdlu \n"[seed >> 16 & 31];
        weights[(int)text[i]]++;
    }
    for (int i = 0; i < 256; i++)
        if (weights[i])
            nodes[count++] = (struct tree){weights[i], i, -1, -1};
    int letters = count;
    for (int i = 1; i < letters; i++) {
        int a = lightest(count, used), b = lightest(count, used);
        nodes[count++] = (struct tree){nodes[a].weight + nodes[b].weight, 0, a, b};
    }
    name(count - 1, code, 0);
    unsigned char *packed = calloc((size_t)length + 8, 1);
    long bit = 0;
    for (int i = 0; i < length; i++)
        for (const char *each = codes[(int)text[i]]; *each; each++, bit++)
            packed[bit / 8] |= (unsigned char)((*each - '0') << bit % 8);
    int right = 0, at = count - 1, place = 0;
    for (long i = 0; i < bit; i++) {
        at = packed[i / 8] >> i % 8 & 1 ? nodes[at].right : nodes[at].left;
        if (nodes[at].left < 0)
            right += nodes[at].letter == text[place++], at = count - 1;
    }
    printf("%d letters, %ld bits, %d right, e is %s\n", letters, bit, right, codes['e']);
    free(text), free(packed);
    return right == length ? 0 : 1;
}
