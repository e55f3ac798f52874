// Sends packets as fast as they are acknowledged. count=1000 size=1500 window=16
//
// A packet's payload begins with "dctx" and its number; an acknowledgement's with "dcta" and the
// number below which all packets have arrived. At most window= packets are under way.
#include "guest.h"
#include "requests.h"

#define TYPE_OFFSET 12
#define PACKET_MAGIC 0x78746364u
#define ACKNOWLEDGEMENT_MAGIC 0x61746364u
#define NUMBER_OFFSET (ETHERNET_BYTES + 8)
#define LEAST_BYTES (NUMBER_OFFSET + 8)
#define ADDRESS_BYTES 6

static uint8_t packet[FRAME_BYTES], answer[FRAME_BYTES];

static void address_packet(void) {
    static const uint8_t type[2] = {0x88, 0xb5};
    const uint32_t magic = PACKET_MAGIC;
    memset(packet, 0xff, ADDRESS_BYTES);
    if (packet_address(packet + ADDRESS_BYTES) != 0)
        fail("transmit: no network\n");
    memcpy(packet + TYPE_OFFSET, type, sizeof type);
    memcpy(packet + ETHERNET_BYTES, &magic, sizeof magic);
}

static void send(uint64_t number, uint64_t size) {
    memcpy(packet + NUMBER_OFFSET, &number, sizeof number);
    if (packet_send(packet, size) != 0)
        fail("transmit: packet %lu cannot be sent\n", number);
}

// Waits for an acknowledgement; returns how many packets have arrived.
static uint64_t acknowledged(void) {
    for (;;) {
        uint32_t magic;
        uint64_t arrived;
        long size = packet_receive(answer, sizeof answer);
        memcpy(&magic, answer + ETHERNET_BYTES, sizeof magic);
        memcpy(&arrived, answer + NUMBER_OFFSET, sizeof arrived);
        if (size >= LEAST_BYTES && magic == ACKNOWLEDGEMENT_MAGIC)
            return arrived;
    }
}

int main(int argc, char **argv) {
    uint64_t count = argument(argc, argv, "count", 1000);
    uint64_t size = argument(argc, argv, "size", 1500);
    uint64_t window = argument(argc, argv, "window", 16);
    if (size < LEAST_BYTES || size > FRAME_BYTES || window == 0)
        fail("transmit: size=%lu window=%lu do not work\n", size, window);
    address_packet();
    uint64_t arrived = 0;
    for (uint64_t number = 0; number < count; number++) {
        while (number - arrived >= window)
            arrived = acknowledged();
        send(number, size);
    }
    while (arrived < count)
        arrived = acknowledged();
    print("result transmit packets=%lu bytes=%lu\n", count, count * size);
    return 0;
}
