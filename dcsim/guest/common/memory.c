// Byte-string routines. Built with -fno-builtin, or the compiler would turn the loops of memset
// and memcpy into calls to themselves.
#include "memory.h"

#define WORD sizeof(uint64_t)

// True when every address can be moved through in 8-byte words.
static bool word_aligned(uintptr_t bits) {
    return bits % WORD == 0;
}

void *memset(void *destination, int value, size_t size) {
    uint8_t *bytes = destination;
    size_t done = 0;
    if (word_aligned((uintptr_t)destination)) {
        uint64_t word = (uint8_t)value * 0x0101010101010101u;
        for (; done + WORD <= size; done += WORD)
            *(uint64_t *)(bytes + done) = word;
    }
    for (; done < size; done++)
        bytes[done] = (uint8_t)value;
    return destination;
}

void *memcpy(void *destination, const void *source, size_t size) {
    uint8_t *to = destination;
    const uint8_t *from = source;
    size_t done = 0;
    if (word_aligned((uintptr_t)destination | (uintptr_t)source)) {
        for (; done + WORD <= size; done += WORD)
            *(uint64_t *)(to + done) = *(const uint64_t *)(from + done);
    }
    for (; done < size; done++)
        to[done] = from[done];
    return destination;
}

int memcmp(const void *left, const void *right, size_t size) {
    const uint8_t *a = left, *b = right;
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            return a[i] - b[i];
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

bool text_equal(const char *left, const char *right) {
    while (*left && *left == *right)
        left++, right++;
    return *left == *right;
}

const char *text_after(const char *text, const char *prefix) {
    while (*prefix) {
        if (*text++ != *prefix++)
            return NULL;
    }
    return text;
}

void text_copy(char *destination, const char *source, size_t size) {
    size_t length = 0;
    for (; length + 1 < size && source[length]; length++)
        destination[length] = source[length];
    destination[length] = 0;
}

// The value of one digit in the given base, or -1.
static int digit_value(char digit, int base) {
    int value = -1;
    if (digit >= '0' && digit <= '9')
        value = digit - '0';
    else if (digit >= 'a' && digit <= 'f')
        value = digit - 'a' + 10;
    return value < base ? value : -1;
}

uint64_t text_number(const char *text) {
    const char *hexadecimal = text_after(text, "0x");
    int base = hexadecimal ? 16 : 10;
    uint64_t number = 0;
    for (text = hexadecimal ? hexadecimal : text; digit_value(*text, base) >= 0; text++)
        number = number * (uint64_t)base + (uint64_t)digit_value(*text, base);
    return number;
}
