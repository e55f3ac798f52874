// Threads with variables of their own, work that is done once, and endings that clean up.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local int own = 5;
static int made, ended, cleaned;

static void end(void *value) { ended += *(int *)value, free(value); }
static void make(void) { made++, pthread_key_create(&key, end); }
static void clean(void *what) { cleaned += *(int *)what; }

static void *work(void *argument) {
    int *number = malloc(sizeof *number), one = 1;
    pthread_once(&once, make);
    *number = own += *(int *)argument;
    pthread_setspecific(key, number);
    pthread_cleanup_push(clean, &one);
    if (*(int *)argument % 2)
        pthread_exit(NULL);
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void) {
    int numbers[6];
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 65536);
        numbers[i] = i;
        pthread_create(&thread, &attributes, work, &numbers[i]);
        pthread_join(thread, NULL);
    }
    printf("%d %d %d %d\n", made, ended, cleaned, own);
    return 0;
}
