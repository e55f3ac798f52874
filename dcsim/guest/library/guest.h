// Everything a program may use.
//
// A program is one C file in programs/ with `int main(int argc, char **argv)`; what main returns is
// its exit status. Arguments are words of the form key=value. Programs must be deterministic: there
// is no clock and no source of randomness but the generator below.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "memory.h"
#include "system_calls.h"

#define PAGE_BYTES 4096ul
#define SECTOR_BYTES 512ul

// ---- system calls: see common/system_calls.h ----

__attribute__((noreturn)) void finish(int status);
long console_write(const void *bytes, size_t size);
long console_read(void *bytes, size_t size);
int fork(void);
int exec(const char *program, char *const *arguments);
int spawn(const char *program, char *const *arguments);
int wait(int child);
int process_id(void);
int sleep_ms(uint64_t milliseconds);
int yield(void);
void *grow(size_t bytes);            // NULL when there is no room
void *map(size_t bytes);             // NULL when there is no room
int unmap(void *address);
void *map_large(size_t bytes);       // NULL when there is no room
uint64_t disk_sectors(void);
int disk_read(uint64_t sector, void *bytes, size_t size);
int disk_write(uint64_t sector, const void *bytes, size_t size);
int disk_flush(void);
int packet_address(uint8_t *address);
long packet_receive(void *bytes, size_t size);
int packet_send(const void *bytes, size_t size);
long skip_illegal(void);
int stopwatch(enum stopwatch_action action, uint64_t rounds, const char *name);
long nano_loop(enum nano_loop which, uint64_t rounds, const void *address);
int misbehave(enum misbehaviour how, uint64_t rounds, uint64_t seed);

// ---- conveniences ----

// Writes one formatted line, at most 256 bytes.
__attribute__((format(printf, 1, 2)))
void print(const char *pattern, ...);

// Ends the program with status 1 after a message.
__attribute__((format(printf, 1, 2), noreturn))
void fail(const char *pattern, ...);

// The number or text after `key=` among the arguments; `otherwise` when it is not there.
uint64_t argument(int argc, char **argv, const char *key, uint64_t otherwise);
const char *argument_text(int argc, char **argv, const char *key, const char *otherwise);

// A hash of a stream of 64-bit words: start with HASH_START.
#define HASH_START 0xcbf29ce484222325ul
uint64_t hash_word(uint64_t hash, uint64_t word);
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);

// The next number of a sequence that depends on nothing but the starting value of *state.
uint64_t random_next(uint64_t *state);
