// Threads that count, exchange and add without a lock.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

enum { THREADS = 4, ROUNDS = 3000 };
static atomic_int counter, lock;
static _Atomic uint64_t wide;
static atomic_uint bits;
static _Atomic(uintptr_t) stack;
static struct node {
    uintptr_t next;
} nodes[THREADS];
static long guarded;

static void *work(void *argument) {
    int id = (int)(intptr_t)argument;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&counter, 1);
        atomic_fetch_add_explicit(&wide, 1ull << 33, memory_order_relaxed);
        while (atomic_exchange(&lock, 1)) {
        }
        guarded++;
        atomic_store(&lock, 0);
    }
    atomic_fetch_or(&bits, 1u << id);
    atomic_fetch_xor(&bits, 1u << (id + 8));
    uintptr_t head = atomic_load(&stack);
    do
        nodes[id].next = head;
    while (!atomic_compare_exchange_weak(&stack, &head, (uintptr_t)&nodes[id]));
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int length = 0;
    for (uintptr_t at = stack; at; at = ((struct node *)at)->next)
        length++;
    printf("%d %llu %ld %x %d\n", counter, (unsigned long long)(wide >> 33), guarded, bits, length);
    return 0;
}
