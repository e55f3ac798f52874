// Takes and gives back memory of many sizes: <rounds>.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 3000;
    enum { SLOTS = 64 };
    unsigned char *slots[SLOTS] = {0};
    size_t sizes[SLOTS] = {0};
    uint32_t random = 1, sum = 0;
    for (int i = 0; i < rounds; i++) {
        random = random * 1664525 + 1013904223;
        int slot = random >> 26;
        size_t size = (random >> 8) % (i % 50 ? 2000 : 200000) + 1;
        for (size_t at = 0; at < sizes[slot]; at += 97)
            sum = sum * 31 + slots[slot][at];
        if (i % 3) {
            free(slots[slot]);
            slots[slot] = malloc(size);
        } else {
            slots[slot] = realloc(slots[slot], size);
        }
        memset(slots[slot], i, size);
        sizes[slot] = size;
    }
    printf("%u\n", sum);
    char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map[4096] = 3;
    printf("%d %d\n", map[0], map[4096]);
    madvise(map, 1 << 20, MADV_DONTNEED);
    printf("%d\n", map[4096]);
    map = mremap(map, 1 << 20, 4 << 20, MREMAP_MAYMOVE);
    map[(4 << 20) - 1] = 9;
    printf("%d %d\n", map[(4 << 20) - 1], munmap(map, 4 << 20));
    printf("%d %p\n", malloc((size_t)1 << 46) == NULL, mmap(NULL, (size_t)1 << 46, 3, 0x22, -1, 0));
    return 0;
}
