// Virtio devices behind memory-mapped registers (Virtual I/O Device specification 1.2, chapter 2
// and section 4.2), modern interface only.
//
// The driver describes buffers in descriptors, offers the first descriptor of each request in one
// ring, and finds requests that the device is done with in another.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_NETWORK 1
#define VIRTIO_BLOCK 2
#define VIRTIO_CONSOLE 3
#define VIRTIO_BALLOON 5

#define QUEUE_SIZE 32

#define DESCRIPTOR_NEXT 1          // the request goes on in descriptor `next`
#define DESCRIPTOR_DEVICE_WRITES 2

struct virtqueue {
    struct {
        uint64_t address;  // physical
        uint32_t bytes;
        uint16_t flags, next;
    } descriptors[QUEUE_SIZE];
    struct {
        volatile uint16_t flags, index;
        uint16_t ring[QUEUE_SIZE];
        uint16_t unused;
    } offered;
    struct {
        volatile uint16_t flags, index;
        struct {
            uint32_t head, bytes;
        } ring[QUEUE_SIZE];
        uint16_t unused;
    } used __attribute__((aligned(4)));
    uint16_t taken;  // how many used requests the driver has seen
} __attribute__((aligned(16)));

#define OFFERED_NO_INTERRUPT 1  // in offered.flags

struct virtio {
    uint64_t registers;
    unsigned interrupt;
};

// Looks for a device of that type and gets it going, up to but without its queues. Of the
// `features` wanted (bits 0..31), those the device has are kept in *features.
bool virtio_find(unsigned type, struct virtio *device, uint32_t *features);

// Whether the device has a queue of that number.
bool virtio_has_queue(const struct virtio *device, uint32_t index);

// Gives queue number `index` to the device.
void virtio_add_queue(const struct virtio *device, uint32_t index, struct virtqueue *queue);

// All queues are there: the device may start.
void virtio_start(const struct virtio *device);

// Tells the device that its interrupt was heard.
void virtio_acknowledge(const struct virtio *device);

// Byte `offset` of the device's configuration, and 32 bits of it.
uint8_t virtio_config_byte(const struct virtio *device, unsigned offset);
uint32_t virtio_config_word(const struct virtio *device, unsigned offset);
void virtio_config_set_word(const struct virtio *device, unsigned offset, uint32_t value);

// Offers the request that starts at descriptor `head` and tells the device.
void virtio_offer(const struct virtio *device, uint32_t index, struct virtqueue *queue,
                  uint16_t head);

// Takes a request that the device is done with: its first descriptor and how much the device wrote.
bool virtio_take(struct virtqueue *queue, uint32_t *head, uint32_t *bytes);
