// A small file store on the disk: named files, each in one run of sectors, written once.
//
//   sector 0       header: magic number, how many files, the first free sector
//   sectors 1..16  directory: 64-byte records of name, first sector, size and hash
//   sectors 17..   contents, each starting on a sector
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define STORE_NAME_BYTES 40
#define STORE_FILES 128

struct store_header {
    uint64_t magic, files, next_sector;
    uint8_t unused[512 - 24];
};

struct store_file {
    char name[STORE_NAME_BYTES];
    uint64_t sector, bytes, hash;
};

struct store {
    struct store_header header;
    struct store_file files[STORE_FILES];
};

// Makes the store empty. False without a disk that is large enough.
bool store_format(struct store *store);

// Reads what is on the disk; false when that is no store.
bool store_open(struct store *store);

// Adds a file. `content` has room for whole sectors. False when the disk or the directory is full.
bool store_write(struct store *store, const char *name, const void *content, uint64_t bytes);

// Reads a file into `content`, which has room for whole sectors of `limit` bytes. Returns its size;
// -1 when it is not there, is larger than `limit` or its hash is wrong.
int64_t store_read(const struct store *store, const char *name, void *content, uint64_t limit);
