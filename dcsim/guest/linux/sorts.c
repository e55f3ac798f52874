// Sorts <count> records by two keys, and searches them.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct record {
    uint32_t key;
    int32_t second;
    double value;
};

static int compare(const void *a, const void *b) {
    const struct record *left = a, *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return (left->second > right->second) - (left->second < right->second);
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 5000;
    struct record *records = malloc(sizeof *records * (size_t)count);
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < count; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        records[i] = (struct record){(uint32_t)random % 1000, (int32_t)(random >> 40), (double)(random >> 11) * 0x1p-53};
    }
    qsort(records, (size_t)count, sizeof *records, compare);
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += records[i].value * i;
    struct record *found = bsearch(&records[count / 2], records, (size_t)count, sizeof *records, compare);
    printf("%u %d %.12g %ld\n", records[0].key, records[count - 1].second, sum, (long)(found - records));
    return 0;
}
