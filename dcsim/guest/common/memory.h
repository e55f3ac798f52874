// Byte-string routines shared by the kernel and the user library. The compiler also calls the
// first three by itself (structure copies, zeroed arrays), so they must keep their C names.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memset(void *destination, int value, size_t size);
void *memcpy(void *destination, const void *source, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);

// Is the text of `left` that of `right`?
bool text_equal(const char *left, const char *right);

// Does `text` start with `prefix`? Returns what follows the prefix, or NULL.
const char *text_after(const char *text, const char *prefix);

// Copies at most size - 1 characters and always ends the copy with a zero byte.
void text_copy(char *destination, const char *source, size_t size);

// Reads decimal, or hexadecimal after 0x, up to the first other character.
uint64_t text_number(const char *text);
