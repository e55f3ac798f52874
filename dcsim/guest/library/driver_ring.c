// The ring between a hypervisor and its driver domain.
#include "driver_ring.h"

#include "guest.h"
#include "requests.h"

#define TYPE_OFFSET 12
#define TYPE 0xb588  // bytes 88 b5: an EtherType for local experiments
#define MESSAGE_MAGIC 0x64646364u
#define STATUS_OFFSET (ETHERNET_BYTES + 28)
#define ADDRESS_BYTES 6

// Fields stand at an odd place for words, so they are copied.
static uint64_t field(const uint8_t *at, size_t bytes) {
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

bool message_read(struct driver_message *message, const uint8_t *frame, uint64_t size) {
    const uint8_t *payload = frame + ETHERNET_BYTES;
    if (size < ETHERNET_BYTES + MESSAGE_BYTES || field(frame + TYPE_OFFSET, 2) != TYPE ||
        field(payload, 4) != MESSAGE_MAGIC)
        return false;
    *message = (struct driver_message){
        .operation = (uint32_t)field(payload + 4, 4),
        .number = field(payload + 8, 8),
        .sector = field(payload + 16, 8),
        .bytes = (uint32_t)field(payload + 24, 4),
    };
    return true;
}

void message_answer(uint8_t *frame, uint32_t status) {
    memcpy(frame, frame + ADDRESS_BYTES, ADDRESS_BYTES);
    packet_address(frame + ADDRESS_BYTES);
    memcpy(frame + STATUS_OFFSET, &status, sizeof status);
}
