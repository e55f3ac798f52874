// The network card: whole Ethernet frames in and out.
#pragma once

#include <stdint.h>

#define NETWORK_ADDRESS_BYTES 6
#define NETWORK_FRAME_BYTES 1514

// A received frame, valid until network_return.
struct packet {
    const uint8_t *bytes;
    uint64_t size;
    uint16_t buffer;
};

// Finds the card, if there is one.
void network_start(void);

// Its own address; NULL without a card. All functions below require one.
const uint8_t *network_address(void);

// The next received frame; waits for it.
struct packet network_receive(void);
void network_return(struct packet packet);

// Room for one frame to send, NETWORK_FRAME_BYTES of it; may wait. It stays the same until
// network_send, which sends its first `size` bytes.
uint8_t *network_send_buffer(void);
void network_send(uint64_t size);

// Waits until all frames are sent: what is under way when the machine goes off may never arrive.
// Does nothing without a card.
void network_finish(void);
