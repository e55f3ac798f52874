// Answers requests from the network. requests= (0: for ever) memory= pages fixed= disk= at=
//
// With fixed=<seed>+<count> it serves a generated list instead, which needs no network and gives
// the same result and digest on every machine. A result depends on its request only, never on the
// order in which requests come; `sum` combines all results in a way that does not depend on it
// either. disk= is how many sectors requests may use, from sector at= on; without it none of the
// list does.
#include "requests.h"

#include "guest.h"

static uint8_t frame[FRAME_BYTES];
static uint8_t sectors_buffer[SECTORS_LIMIT * SECTOR_BYTES];
static uint64_t *memory;
static uint64_t memory_pages, window_start, window_sectors;

// One unit of work is a hundred steps of the generator, about 1000 instructions.
static uint64_t compute(uint64_t hash, uint64_t units) {
    for (uint64_t i = 0; i < units * 100; i++)
        random_next(&hash);
    return hash;
}

// Writes a word into each page and reads it back when all are written.
static uint64_t touch_memory(uint64_t hash, uint64_t number, uint64_t pages) {
    for (int reading = 0; reading < 2; reading++) {
        for (uint64_t i = 0; i < pages; i++) {
            uint64_t page = (number + i) % memory_pages;
            uint64_t *word = memory + page * (PAGE_BYTES / sizeof *memory) + number % 512;
            if (reading)
                hash = hash_word(hash, *word);
            else
                *word = number + page;
        }
    }
    return hash;
}

// Writes sectors at a place that depends on the request, reads them back and folds them in.
static uint64_t touch_disk(uint64_t hash, uint64_t number, uint64_t sectors) {
    if (sectors == 0)
        return hash;
    if (window_sectors < sectors)
        fail("server: request %lu needs disk=\n", number);
    uint64_t bytes = sectors * SECTOR_BYTES;
    uint64_t place = window_start + number * sectors % (window_sectors - sectors + 1);
    for (uint64_t i = 0; i < bytes; i++)
        sectors_buffer[i] = (uint8_t)(number + i);
    if (disk_write(place, sectors_buffer, bytes) != 0)
        fail("server: cannot write to the disk\n");
    memset(sectors_buffer, 0, bytes);
    if (disk_read(place, sectors_buffer, bytes) != 0)
        fail("server: cannot read from the disk\n");
    return hash_bytes(hash, sectors_buffer, bytes);
}

static uint64_t serve(const struct request *request, const uint8_t *padding, uint64_t bytes) {
    uint64_t hash = hash_word(HASH_START, request->number);
    hash = hash_bytes(hash, padding, bytes);
    hash = compute(hash, request->compute);
    hash = touch_memory(hash, request->number, request->pages);
    return touch_disk(hash, request->number, request->sectors);
}

// What a request adds to the sum.
static uint64_t share(uint64_t number, uint64_t result) {
    return hash_word(hash_word(HASH_START, number), result);
}

static uint64_t serve_fixed(uint64_t seed, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t number = 0; number < count; number++) {
        struct request request = request_generate(seed, number, window_sectors >= SECTORS_LIMIT);
        sum += share(number, serve(&request, NULL, 0));
    }
    return sum;
}

static uint64_t serve_network(uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t served = 0; count == 0 || served < count;) {
        long size = packet_receive(frame, sizeof frame);
        if (size < 0)
            fail("server: no network\n");
        struct request request;
        if (!request_read(&request, frame, (uint64_t)size))
            continue;
        uint64_t padding = request.bytes - REQUEST_BYTES;
        uint64_t result = serve(&request, frame + ETHERNET_BYTES + REQUEST_BYTES, padding);
        sum += share(request.number, result);
        served++;
        packet_send(frame, answer_write(frame, &request, result));
    }
    return sum;
}

int main(int argc, char **argv) {
    uint64_t count = argument(argc, argv, "requests", 0), sum;
    const char *fixed = argument_text(argc, argv, "fixed", NULL);
    memory_pages = argument(argc, argv, "memory", 64);
    window_sectors = argument(argc, argv, "disk", 0);
    memory = map(memory_pages * PAGE_BYTES);
    if (!memory)
        fail("server: no room for %lu pages\n", memory_pages);
    window_start = argument(argc, argv, "at", 0);
    if (window_start + window_sectors > disk_sectors())
        fail("server: the disk is smaller than %lu sectors\n", window_sectors);
    if (fixed) {
        const char *plus = fixed;
        while (*plus && *plus != '+')
            plus++;
        count = *plus ? text_number(plus + 1) : 0;
        sum = serve_fixed(text_number(fixed), count);
    } else {
        sum = serve_network(count);
    }
    print("result server requests=%lu sum=%016lx\n", count, sum);
    return 0;
}
