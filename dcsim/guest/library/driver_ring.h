// The ring between a hypervisor and its driver domain: one Ethernet frame for each message, numbers
// little-endian. An answer is the message itself, with what became of it; one that moves a packet
// is as long as the packet.
//
//   frame     destination (6) source (6) type 0x88b5 (2, big-endian), then
//   message   0 "dcdd"  4 operation  8 number (8)  16 sector (8)  24 bytes  28 status
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_BYTES 32

enum driver_operation {
    DRIVER_READ = 1,  // `bytes` from the disk, at `sector`
    DRIVER_WRITE,     // the same to the disk
    DRIVER_SEND,      // a packet of `bytes` to the network
    DRIVER_RECEIVE,   // a packet of `bytes` from the network
};

struct driver_message {
    uint32_t operation;
    uint64_t number;
    uint64_t sector;
    uint32_t bytes;
    uint32_t status;  // 0: done
};

// False when the frame holds no message: it is for somebody else.
bool message_read(struct driver_message *message, const uint8_t *frame, uint64_t size);

// Notes the status in a frame that holds a message, and whom it is from.
void message_answer(uint8_t *frame, uint32_t status);
