// A small printf: one output cursor, one function per kind of conversion.
#include "format.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
    char *next;
    char *limit;  // the last byte, kept for the final zero
};

static void put(struct output *output, char character) {
    if (output->next < output->limit)
        *output->next++ = character;
}

static void put_text(struct output *output, const char *text) {
    while (*text)
        put(output, *text++);
}

// Digits come out least significant first, so they are gathered backwards.
static void put_number(struct output *output, uint64_t number, unsigned base, int width) {
    char digits[20];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    while (width-- > count)
        put(output, '0');
    while (count)
        put(output, digits[--count]);
}

static void put_signed(struct output *output, int64_t number, int width) {
    if (number < 0)
        put(output, '-');
    put_number(output, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, width);
}

// One conversion: `is_long` and `width` are what stood between % and the letter. The list is
// handed over by pointer because each conversion takes its argument from it.
static void convert(struct output *output, char letter, bool is_long, int width, va_list *list) {
    switch (letter) {
    case 's':
        put_text(output, va_arg(*list, const char *));
        break;
    case 'c':
        put(output, (char)va_arg(*list, int));
        break;
    case 'd':
        put_signed(output, is_long ? va_arg(*list, int64_t) : va_arg(*list, int), width);
        break;
    case 'u':
    case 'x': {
        uint64_t number = is_long ? va_arg(*list, uint64_t) : va_arg(*list, unsigned);
        put_number(output, number, letter == 'u' ? 10 : 16, width);
        break;
    }
    default:
        put(output, letter);
    }
}

size_t format_list(char *buffer, size_t size, const char *pattern, va_list arguments) {
    struct output output = {buffer, buffer + size - 1};
    va_list list;
    va_copy(list, arguments);
    while (*pattern) {
        if (*pattern != '%') {
            put(&output, *pattern++);
            continue;
        }
        int width = 0;
        for (pattern++; *pattern >= '0' && *pattern <= '9'; pattern++)
            width = width * 10 + *pattern - '0';
        bool is_long = *pattern == 'l';
        pattern += is_long;
        convert(&output, *pattern, is_long, width, &list);
        pattern += *pattern != 0;
    }
    va_end(list);
    *output.next = 0;
    return (size_t)(output.next - buffer);
}

size_t format(char *buffer, size_t size, const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    size_t length = format_list(buffer, size, pattern, arguments);
    va_end(arguments);
    return length;
}
