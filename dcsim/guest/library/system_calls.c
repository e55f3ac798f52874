// System calls, the program's side.
#include "guest.h"

static long call(long number, uint64_t first, uint64_t second, uint64_t third) {
    register uint64_t a0 __asm__("a0") = first;
    register uint64_t a1 __asm__("a1") = second;
    register uint64_t a2 __asm__("a2") = third;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return (long)a0;
}

void finish(int status) {
    for (;;)
        call(CALL_EXIT, (uint64_t)status, 0, 0);
}

long console_write(const void *bytes, size_t size) {
    return call(CALL_WRITE, (uint64_t)bytes, size, 0);
}

long console_read(void *bytes, size_t size) {
    return call(CALL_READ, (uint64_t)bytes, size, 0);
}

int fork(void) {
    return (int)call(CALL_FORK, 0, 0, 0);
}

int exec(const char *program, char *const *arguments) {
    return (int)call(CALL_EXEC, (uint64_t)program, (uint64_t)arguments, 0);
}

int spawn(const char *program, char *const *arguments) {
    return (int)call(CALL_SPAWN, (uint64_t)program, (uint64_t)arguments, 0);
}

int wait(int child) {
    return (int)call(CALL_WAIT, (uint64_t)child, 0, 0);
}

int process_id(void) {
    return (int)call(CALL_PROCESS_ID, 0, 0, 0);
}

int sleep_ms(uint64_t milliseconds) {
    return (int)call(CALL_SLEEP, milliseconds, 0, 0);
}

int yield(void) {
    return (int)call(CALL_YIELD, 0, 0, 0);
}

// Addresses are in the lower half, so an error is what would be a negative one.
static void *address_or_null(long result) {
    return result < 0 ? NULL : (void *)result;
}

void *grow(size_t bytes) {
    return address_or_null(call(CALL_GROW, bytes, 0, 0));
}

void *map(size_t bytes) {
    return address_or_null(call(CALL_MAP, bytes, 0, 0));
}

int unmap(void *address) {
    return (int)call(CALL_UNMAP, (uint64_t)address, 0, 0);
}

void *map_large(size_t bytes) {
    return address_or_null(call(CALL_MAP_LARGE, bytes, 0, 0));
}

uint64_t disk_sectors(void) {
    return (uint64_t)call(CALL_DISK_SECTORS, 0, 0, 0);
}

int disk_read(uint64_t sector, void *bytes, size_t size) {
    return (int)call(CALL_DISK_READ, sector, (uint64_t)bytes, size);
}

int disk_write(uint64_t sector, const void *bytes, size_t size) {
    return (int)call(CALL_DISK_WRITE, sector, (uint64_t)bytes, size);
}

int disk_flush(void) {
    return (int)call(CALL_DISK_FLUSH, 0, 0, 0);
}

int packet_address(uint8_t *address) {
    return (int)call(CALL_PACKET_ADDRESS, (uint64_t)address, 0, 0);
}

long packet_receive(void *bytes, size_t size) {
    return call(CALL_PACKET_RECEIVE, (uint64_t)bytes, size, 0);
}

int packet_send(const void *bytes, size_t size) {
    return (int)call(CALL_PACKET_SEND, (uint64_t)bytes, size, 0);
}

long skip_illegal(void) {
    return call(CALL_SKIP_ILLEGAL, 0, 0, 0);
}

int stopwatch(enum stopwatch_action action, uint64_t rounds, const char *name) {
    return (int)call(CALL_STOPWATCH, action, rounds, (uint64_t)name);
}

long nano_loop(enum nano_loop which, uint64_t rounds, const void *address) {
    return call(CALL_NANO_LOOP, which, rounds, (uint64_t)address);
}

int misbehave(enum misbehaviour how, uint64_t rounds, uint64_t seed) {
    return (int)call(CALL_MISBEHAVE, how, rounds, seed);
}
