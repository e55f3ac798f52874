// The network card: a virtio network device (specification section 5.1).
//
// Each direction has a queue and as many buffers; buffer n belongs to descriptor n and starts with
// the device's header. Received frames that no process has asked for stay in their buffers; when
// all are full the device drops what comes.
#include "network.h"

#include "frames.h"
#include "layout.h"
#include "memory.h"
#include "plic.h"
#include "print.h"
#include "riscv.h"
#include "schedule.h"
#include "virtio.h"

#define RECEIVE 0
#define SEND 1
#define FEATURE_ADDRESS (1u << 5)
#define HEADER_BYTES 12  // all zero: no offloads
#define BUFFER_BYTES 2048ul
#define DIRECTION_PAGES (QUEUE_SIZE * BUFFER_BYTES / PAGE_BYTES)

static struct virtio card;
static bool present;
static uint8_t address[NETWORK_ADDRESS_BYTES] = {2, 0, 0, 0, 0, 1};
static struct virtqueue receive_queue, send_queue;
static uint8_t *receive_buffers, *send_buffers;
static uint16_t idle_send_buffers[QUEUE_SIZE];  // the numbers of those not being sent
static int idle_send_count;

static void card_interrupted(void *unused) {
    virtio_acknowledge(&card);
    wake(&receive_queue);
    wake(&send_queue);
}

static void offer_receive_buffer(uint16_t buffer) {
    virtio_offer(&card, RECEIVE, &receive_queue, buffer);
}

// Fixes what never changes in the descriptors of a queue, and returns its buffers.
static uint8_t *make_buffers(struct virtqueue *queue, uint16_t flags) {
    uint64_t run = frames_allocate_run(DIRECTION_PAGES);
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        queue->descriptors[i].address = run + i * BUFFER_BYTES;
        queue->descriptors[i].bytes = BUFFER_BYTES;
        queue->descriptors[i].flags = flags;
    }
    return to_pointer(run);
}

static void start_queues(void) {
    receive_buffers = make_buffers(&receive_queue, DESCRIPTOR_DEVICE_WRITES);
    send_buffers = make_buffers(&send_queue, 0);
    send_queue.offered.flags = OFFERED_NO_INTERRUPT;
    virtio_add_queue(&card, RECEIVE, &receive_queue);
    virtio_add_queue(&card, SEND, &send_queue);
    plic_enable(card.interrupt, card_interrupted, NULL);
    virtio_start(&card);
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        offer_receive_buffer(i);
        idle_send_buffers[idle_send_count++] = i;
    }
}

void network_start(void) {
    uint32_t features = FEATURE_ADDRESS;
    present = virtio_find(VIRTIO_NETWORK, &card, &features);
    if (!present)
        return;
    for (unsigned i = 0; features & FEATURE_ADDRESS && i < NETWORK_ADDRESS_BYTES; i++)
        address[i] = virtio_config_byte(&card, i);
    start_queues();
    print("kernel: network card\n");
}

const uint8_t *network_address(void) {
    return present ? address : NULL;
}

struct packet network_receive(void) {
    uint32_t buffer, bytes;
    while (!virtio_take(&receive_queue, &buffer, &bytes))
        wait_on(&receive_queue);
    const uint8_t *start = receive_buffers + buffer * BUFFER_BYTES;
    uint64_t size = bytes > HEADER_BYTES ? bytes - HEADER_BYTES : 0;
    return (struct packet){start + HEADER_BYTES, size, (uint16_t)buffer};
}

void network_return(struct packet packet) {
    offer_receive_buffer(packet.buffer);
}

static void collect_sent(void) {
    uint32_t buffer, bytes;
    while (virtio_take(&send_queue, &buffer, &bytes))
        idle_send_buffers[idle_send_count++] = (uint16_t)buffer;
}

// Interrupts about sent frames are wanted only while somebody waits for buffers that are under way.
static void wait_for_idle_buffers(int count) {
    send_queue.offered.flags = 0;
    device_fence();
    collect_sent();
    while (idle_send_count < count) {
        wait_on(&send_queue);
        collect_sent();
    }
    send_queue.offered.flags = OFFERED_NO_INTERRUPT;
}

uint8_t *network_send_buffer(void) {
    collect_sent();
    if (idle_send_count == 0)
        wait_for_idle_buffers(1);
    uint16_t buffer = idle_send_buffers[idle_send_count - 1];
    return send_buffers + buffer * BUFFER_BYTES + HEADER_BYTES;
}

void network_send(uint64_t size) {
    uint16_t buffer = idle_send_buffers[--idle_send_count];
    memset(send_buffers + buffer * BUFFER_BYTES, 0, HEADER_BYTES);
    send_queue.descriptors[buffer].bytes = (uint32_t)(HEADER_BYTES + size);
    virtio_offer(&card, SEND, &send_queue, buffer);
}

void network_finish(void) {
    if (present)
        wait_for_idle_buffers(QUEUE_SIZE);
}
