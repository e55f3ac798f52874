// A small file store on the disk. Contents are written before the record that names them, and the
// record before the header that counts it: a store cut off half-way is a store with fewer files.
#include "store.h"

#include "guest.h"

#define MAGIC 0x31726f7473736364ul  // "dcsstor1"
#define DIRECTORY_SECTOR 1
#define CONTENT_SECTOR (DIRECTORY_SECTOR + sizeof(((struct store *)0)->files) / SECTOR_BYTES)
#define FILES_PER_SECTOR (SECTOR_BYTES / sizeof(struct store_file))

_Static_assert(sizeof(struct store_header) == SECTOR_BYTES, "the header is one sector");
_Static_assert(SECTOR_BYTES % sizeof(struct store_file) == 0, "records do not straddle sectors");

static uint64_t sectors_of(uint64_t bytes) {
    return (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
}

static bool write_header(const struct store *store) {
    return disk_write(0, &store->header, SECTOR_BYTES) == 0;
}

bool store_format(struct store *store) {
    memset(store, 0, sizeof *store);
    store->header.magic = MAGIC;
    store->header.next_sector = CONTENT_SECTOR;
    return disk_sectors() > CONTENT_SECTOR && write_header(store);
}

bool store_open(struct store *store) {
    return disk_sectors() > CONTENT_SECTOR && disk_read(0, &store->header, SECTOR_BYTES) == 0 &&
           store->header.magic == MAGIC && store->header.files <= STORE_FILES &&
           disk_read(DIRECTORY_SECTOR, store->files, sizeof store->files) == 0;
}

// Writes the sector of the directory that holds record `index`.
static bool write_record(const struct store *store, uint64_t index) {
    uint64_t sector = index / FILES_PER_SECTOR;
    const struct store_file *first = &store->files[sector * FILES_PER_SECTOR];
    return disk_write(DIRECTORY_SECTOR + sector, first, SECTOR_BYTES) == 0;
}

bool store_write(struct store *store, const char *name, const void *content, uint64_t bytes) {
    uint64_t index = store->header.files, sector = store->header.next_sector;
    uint64_t sectors = sectors_of(bytes);
    if (index == STORE_FILES || sectors > disk_sectors() - sector)
        return false;
    if (disk_write(sector, content, sectors * SECTOR_BYTES) != 0)
        return false;
    struct store_file *file = &store->files[index];
    *file = (struct store_file){.sector = sector, .bytes = bytes};
    file->hash = hash_bytes(HASH_START, content, bytes);
    text_copy(file->name, name, STORE_NAME_BYTES);
    store->header.files++;
    store->header.next_sector += sectors;
    return write_record(store, index) && write_header(store);
}

static const struct store_file *find(const struct store *store, const char *name) {
    for (uint64_t i = 0; i < store->header.files; i++) {
        if (text_equal(store->files[i].name, name))
            return &store->files[i];
    }
    return NULL;
}

int64_t store_read(const struct store *store, const char *name, void *content, uint64_t limit) {
    const struct store_file *file = find(store, name);
    if (!file || file->bytes > limit)
        return -1;
    if (disk_read(file->sector, content, sectors_of(file->bytes) * SECTOR_BYTES) != 0)
        return -1;
    bool right = hash_bytes(HASH_START, content, file->bytes) == file->hash;
    return right ? (int64_t)file->bytes : -1;
}
