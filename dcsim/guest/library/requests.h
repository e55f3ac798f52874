// The server's protocol: one request or answer per Ethernet frame, numbers little-endian.
//
//   frame     destination (6) source (6) type 0x88b5 (2, big-endian), then the payload
//   request   0 "dcrq"  4 payload bytes  8 number (8)  16 compute  20 pages  24 sectors
//             28 answer bytes  32 padding, folded into the result
//   answer    0 "dcrp"  4 payload bytes  8 number (8)  16 result (8)  24 zeros
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ETHERNET_BYTES 14
#define FRAME_BYTES 1514
#define REQUEST_BYTES 32
#define ANSWER_BYTES 24
#define SECTORS_LIMIT 64

struct request {
    uint32_t bytes;         // of the payload, padding included
    uint64_t number;
    uint32_t compute;       // units of work
    uint32_t pages;         // of memory to touch
    uint32_t sectors;       // to write and read back; at most SECTORS_LIMIT
    uint32_t answer_bytes;  // payload of the answer
};

// False when the frame holds no proper request: it is for somebody else.
bool request_read(struct request *request, const uint8_t *frame, uint64_t size);

// Turns a frame with a request into one with its answer; returns its size.
uint64_t answer_write(uint8_t *frame, const struct request *request, uint64_t result);

// Request number `number` of the list that a seed stands for; `disk`: sectors may be asked for.
struct request request_generate(uint64_t seed, uint64_t number, bool disk);
