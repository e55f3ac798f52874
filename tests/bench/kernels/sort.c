// Heapsort of a 1 MiB array, then a hash over it.

#include "harness.h"

enum { COUNT = (1 << 20) / 8 };

static void sift(u64 *heap, u64 root, u64 end) {
    for (u64 child; (child = 2 * root + 1) < end; root = child) {
        if (child + 1 < end && heap[child] < heap[child + 1]) child++;
        if (heap[root] >= heap[child]) return;
        u64 swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
    }
}

u64 kernel(u64 repeat) {
    u64 *heap = (u64 *)arena, hash = 14695981039346656037ul;
    for (u64 round = 0; round < repeat; round++) {
        u64 seed = round + 1;
        for (u64 i = 0; i < COUNT; i++) heap[i] = seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        for (u64 i = COUNT / 2; i-- > 0;) sift(heap, i, COUNT);
        for (u64 end = COUNT - 1; end > 0; end--) {
            u64 swap = heap[0];
            heap[0] = heap[end];
            heap[end] = swap;
            sift(heap, 0, end);
        }
        for (u64 i = 0; i < COUNT; i++) hash = (hash ^ heap[i]) * 1099511628211ul;
    }
    return hash;
}
