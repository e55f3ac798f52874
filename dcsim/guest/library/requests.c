// The server's protocol.
#include "requests.h"

#include "guest.h"

#define TYPE_OFFSET 12
#define TYPE 0xb588  // bytes 88 b5: an EtherType for local experiments
#define REQUEST_MAGIC 0x71726364u
#define ANSWER_MAGIC 0x70726364u
#define ADDRESS_BYTES 6

// Frames put the payload at an odd place for words, so fields are copied out of and into it.
static uint64_t field(const uint8_t *at, size_t bytes) {
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

static void set_field(uint8_t *at, size_t bytes, uint64_t value) {
    memcpy(at, &value, bytes);
}

bool request_read(struct request *request, const uint8_t *frame, uint64_t size) {
    const uint8_t *payload = frame + ETHERNET_BYTES;
    if (size < ETHERNET_BYTES + REQUEST_BYTES || field(frame + TYPE_OFFSET, 2) != TYPE ||
        field(payload, 4) != REQUEST_MAGIC)
        return false;
    *request = (struct request){
        .bytes = (uint32_t)field(payload + 4, 4),
        .number = field(payload + 8, 8),
        .compute = (uint32_t)field(payload + 16, 4),
        .pages = (uint32_t)field(payload + 20, 4),
        .sectors = (uint32_t)field(payload + 24, 4),
        .answer_bytes = (uint32_t)field(payload + 28, 4),
    };
    return request->bytes >= REQUEST_BYTES && request->bytes <= size - ETHERNET_BYTES &&
           request->sectors <= SECTORS_LIMIT;
}

static uint32_t answer_size(uint32_t wanted) {
    if (wanted < ANSWER_BYTES)
        return ANSWER_BYTES;
    return wanted < FRAME_BYTES - ETHERNET_BYTES ? wanted : FRAME_BYTES - ETHERNET_BYTES;
}

uint64_t answer_write(uint8_t *frame, const struct request *request, uint64_t result) {
    uint32_t bytes = answer_size(request->answer_bytes);
    uint8_t *payload = frame + ETHERNET_BYTES;
    memcpy(frame, frame + ADDRESS_BYTES, ADDRESS_BYTES);
    packet_address(frame + ADDRESS_BYTES);
    memset(payload, 0, bytes);
    set_field(payload, 4, ANSWER_MAGIC);
    set_field(payload + 4, 4, bytes);
    set_field(payload + 8, 8, request->number);
    set_field(payload + 16, 8, result);
    return ETHERNET_BYTES + bytes;
}

struct request request_generate(uint64_t seed, uint64_t number, bool disk) {
    uint64_t state = hash_word(hash_word(HASH_START, seed), number) | 1;
    uint64_t bits = random_next(&state);
    return (struct request){
        .number = number,
        .compute = bits % 16,
        .pages = bits >> 8 & 15,
        .sectors = disk ? bits >> 16 & 7 : 0,
    };
}
