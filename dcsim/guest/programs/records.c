// Writes records to the disk and checks each one that was acknowledged. records=64 passes=1 flush=8 mode=write|check
//
// A record is a block of 4 KiB that tells its number, its pass and what must stand in it. A write
// that the disk refuses leaves the block as it was. After every flush= records, when the disk has
// flushed, the program says how many it can rely on; mode=check looks what an earlier boot left.
#include "guest.h"

#define RECORD_SECTORS 8ul
#define RECORD_BYTES (RECORD_SECTORS * SECTOR_BYTES)
#define WORDS (RECORD_BYTES / sizeof(uint64_t))
#define MOST_RECORDS 65536ul

static uint64_t record[WORDS], found[WORDS];
static uint8_t acknowledged[MOST_RECORDS];  // the pass whose record is there; 0 for none

static void fill(uint64_t *words, uint64_t number, uint64_t pass) {
    uint64_t seed = number << 8 | pass;
    words[0] = number;
    words[1] = pass;
    for (uint64_t i = 2; i < WORDS; i++)
        words[i] = random_next(&seed);
}

static bool holds(uint64_t number, uint64_t pass) {
    if (pass)
        fill(record, number, pass);
    else
        memset(record, 0, sizeof record);
    return memcmp(found, record, sizeof record) == 0;
}

static void read_record(uint64_t number) {
    if (disk_read(number * RECORD_SECTORS, found, sizeof found) != 0)
        fail("records: cannot read %lu\n", number);
}

// Writes every record once; returns how many were refused.
static uint64_t write_pass(uint64_t records, uint64_t pass, uint64_t flush) {
    uint64_t refused = 0, since = 0;
    for (uint64_t number = 0; number < records; number++) {
        fill(record, number, pass);
        if (disk_write(number * RECORD_SECTORS, record, sizeof record) == 0)
            acknowledged[number] = (uint8_t)pass;
        else
            refused++;
        if (flush && ++since == flush) {
            since = 0;
            if (disk_flush() == 0)
                print("result records flushed=%lu\n", (pass - 1) * records + number + 1);
        }
    }
    return refused;
}

static uint64_t count_wrong(uint64_t records) {
    uint64_t wrong = 0;
    for (uint64_t number = 0; number < records; number++) {
        read_record(number);
        wrong += !holds(number, acknowledged[number]);
    }
    return wrong;
}

// Counts the records that are there, of any pass; how many from the first on; the numbers of their
// passes added up; and the blocks that are neither a whole record nor zeros.
static int check(uint64_t records) {
    uint64_t whole = 0, wrong = 0, first = 0, passes = 0;
    for (uint64_t number = 0; number < records; number++) {
        read_record(number);
        if (holds(number, 0))
            continue;
        bool right = found[0] == number && found[1] > 0 && holds(number, found[1]);
        whole += right;
        wrong += !right;
        passes += right ? found[1] : 0;
        if (right && first == number)
            first = number + 1;
    }
    print("result records whole=%lu first=%lu passes=%lu wrong=%lu\n", whole, first, passes, wrong);
    return wrong != 0;
}

int main(int argc, char **argv) {
    uint64_t records = argument(argc, argv, "records", 64), refused = 0;
    uint64_t passes = argument(argc, argv, "passes", 1), flush = argument(argc, argv, "flush", 8);
    if (records > MOST_RECORDS || records * RECORD_SECTORS > disk_sectors())
        fail("records: no room for %lu\n", records);
    if (text_equal(argument_text(argc, argv, "mode", "write"), "check"))
        return check(records);
    for (uint64_t pass = 1; pass <= passes; pass++)
        refused += write_pass(records, pass, flush);
    uint64_t wrong = count_wrong(records);
    print("result records written=%lu refused=%lu wrong=%lu\n", records * passes - refused, refused,
          wrong);
    return wrong != 0;
}
