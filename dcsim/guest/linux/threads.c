// Lets threads count under a mutex, hand work over, and wait for each other.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 6, ROUNDS = 500 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static long count;
static int turn, made;
static __thread int own;

static void make(void) {
    made++;
    pthread_key_create(&key, free);
}

static void *work(void *argument) {
    int me = (int)(long)argument;
    pthread_once(&once, make);
    pthread_setspecific(key, malloc(8));
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        count += me;
        own++;
        pthread_mutex_unlock(&lock);
    }
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != me)
            pthread_cond_wait(&changed, &lock);
        printf("%d", me);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return (void *)(long)(own + me);
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    printf("\ncount %ld sum %ld made %d turn %d\n", count, sum, made, turn);
    return 0;
}
