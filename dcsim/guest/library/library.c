// Conveniences for programs: output, arguments, hashing, repeatable random numbers.
#include "guest.h"

#define LINE_BYTES 256
#define HASH_PRIME 0x100000001b3ul

void print(const char *pattern, ...) {
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, pattern);
    size_t length = format_list(line, sizeof line, pattern, arguments);
    va_end(arguments);
    console_write(line, length);
}

void fail(const char *pattern, ...) {
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, pattern);
    size_t length = format_list(line, sizeof line, pattern, arguments);
    va_end(arguments);
    console_write(line, length);
    finish(1);
}

const char *argument_text(int argc, char **argv, const char *key, const char *otherwise) {
    for (int i = 1; i < argc; i++) {
        const char *rest = text_after(argv[i], key);
        if (rest && *rest == '=')
            return rest + 1;
    }
    return otherwise;
}

uint64_t argument(int argc, char **argv, const char *key, uint64_t otherwise) {
    const char *text = argument_text(argc, argv, key, NULL);
    return text ? text_number(text) : otherwise;
}

// FNV-1a on 64-bit words, with a shift that brings the upper bits down.
uint64_t hash_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * HASH_PRIME;
    return hash ^ hash >> 32;
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size) {
    const uint8_t *next = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ next[i]) * HASH_PRIME;
    return hash;
}

// Marsaglia's xorshift64* generator (Vigna, "An experimental exploration of Marsaglia's xorshift
// generators, scrambled", 2016). A starting value of 0 would stay 0.
uint64_t random_next(uint64_t *state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dul;
}
