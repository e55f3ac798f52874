// Writes files to the disk and reads them back. files= size= mode=both|write|read
//
// The files are in a small store of its own. mode=read checks what an earlier boot wrote. The disk
// is formatted by mode=write and mode=both.
#include "store.h"

#include "guest.h"

static struct store store;

static void file_name(char *name, uint64_t number) {
    format(name, STORE_NAME_BYTES, "file-%lu", number);
}

static void fill(uint8_t *content, uint64_t size, uint64_t seed) {
    for (uint64_t i = 0; i < size; i++)
        content[i] = (uint8_t)(random_next(&seed) >> 56);
}

static void write_files(uint64_t files, uint8_t *content, uint64_t size) {
    char name[STORE_NAME_BYTES];
    if (!store_format(&store))
        fail("files: cannot format the disk\n");
    for (uint64_t number = 0; number < files; number++) {
        file_name(name, number);
        fill(content, size, number + 1);
        if (!store_write(&store, name, content, size))
            fail("files: cannot write %s\n", name);
    }
}

// Returns the hash of all contents; the store has checked each against its own.
static uint64_t read_files(uint64_t files, uint8_t *content, uint64_t size) {
    char name[STORE_NAME_BYTES];
    uint64_t hash = HASH_START;
    if (!store_open(&store))
        fail("files: no store on the disk\n");
    for (uint64_t number = 0; number < files; number++) {
        file_name(name, number);
        if (store_read(&store, name, content, size) != (int64_t)size)
            fail("files: cannot read %s\n", name);
        hash = hash_bytes(hash, content, size);
    }
    return hash;
}

int main(int argc, char **argv) {
    uint64_t files = argument(argc, argv, "files", 8);
    uint64_t size = argument(argc, argv, "size", 10000);
    const char *mode = argument_text(argc, argv, "mode", "both");
    uint8_t *content = map(size + SECTOR_BYTES);
    uint64_t hash = 0;
    if (!content)
        fail("files: no room for %lu bytes\n", size);
    if (!text_equal(mode, "read"))
        write_files(files, content, size);
    if (!text_equal(mode, "write"))
        hash = read_files(files, content, size);
    print("result files files=%lu size=%lu hash=%016lx\n", files, size, hash);
    return 0;
}
