// Threads that wait for each other by conditions, barriers, semaphores and locks for readers.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

enum { THREADS = 4, ITEMS = 200 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t slots;
static int queue[8], first, count, value, serial;

static void *consume(void *sum) {
    for (int item = 0; item >= 0;) {
        pthread_mutex_lock(&mutex);
        while (!count)
            pthread_cond_wait(&filled, &mutex);
        item = queue[first];
        first = (first + 1) % 8, count--;
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&mutex);
        *(long *)sum += item > 0 ? item : 0;
    }
    serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
    for (int i = 0; i < 50; i++) {
        pthread_rwlock_wrlock(&shared);
        value++;
        pthread_rwlock_unlock(&shared);
        sem_wait(&slots);
        pthread_rwlock_rdlock(&shared);
        *(volatile int *)&value;
        pthread_rwlock_unlock(&shared);
        sem_post(&slots);
    }
    return sum;
}

static void put(int item) {
    pthread_mutex_lock(&mutex);
    while (count == 8)
        pthread_cond_wait(&emptied, &mutex);
    queue[(first + count++) % 8] = item;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&mutex);
}

int main(void) {
    pthread_t threads[THREADS];
    long sums[THREADS] = {0}, total = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&slots, 0, 2);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, consume, &sums[i]);
    for (int item = 1; item <= ITEMS; item++)
        put(item);
    for (int i = 0; i < THREADS; i++)
        put(-1);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        total += *(long *)result;
    }
    int left;
    sem_getvalue(&slots, &left);
    printf("%ld %d %d %d %d\n", total, value, serial, left, pthread_mutex_trylock(&mutex));
    return 0;
}
