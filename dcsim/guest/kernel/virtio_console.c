// The console as a virtio device (specification section 5.3), its first port only.
//
// Received bytes lie in a few small buffers; buffer n belongs to descriptor n.
// Output is one request at a time, straight from the caller's memory: whoever prints may be about
// to panic or to power off, so it neither sleeps nor leaves anything under way.
#include "virtio_console.h"

#include <stdint.h>

#include "layout.h"
#include "riscv.h"
#include "virtio.h"

#define RECEIVE 0
#define SEND 1
#define BUFFERS 8
#define BUFFER_BYTES 32

static struct virtio device;
static struct virtqueue receive_queue, send_queue;
static uint8_t buffers[BUFFERS][BUFFER_BYTES];
static interrupt_handler *report_input;

// The buffer being read, and how much of it there is and was read.
static bool holding;
static uint32_t held, held_bytes, read_bytes;

static void device_interrupted(void *argument) {
    virtio_acknowledge(&device);
    report_input(argument);
}

static void offer_buffers(void) {
    for (uint16_t i = 0; i < BUFFERS; i++) {
        receive_queue.descriptors[i].address = to_physical(buffers[i]);
        receive_queue.descriptors[i].bytes = BUFFER_BYTES;
        receive_queue.descriptors[i].flags = DESCRIPTOR_DEVICE_WRITES;
        virtio_offer(&device, RECEIVE, &receive_queue, i);
    }
}

bool virtio_console_start(interrupt_handler *input_arrived) {
    uint32_t features = 0;
    if (!virtio_find(VIRTIO_CONSOLE, &device, &features))
        return false;
    report_input = input_arrived;
    send_queue.offered.flags = OFFERED_NO_INTERRUPT;
    virtio_add_queue(&device, RECEIVE, &receive_queue);
    virtio_add_queue(&device, SEND, &send_queue);
    plic_enable(device.interrupt, device_interrupted, NULL);
    virtio_start(&device);
    offer_buffers();
    return true;
}

void virtio_console_write(const char *bytes, size_t size) {
    uint32_t head, written;
    if (size == 0)
        return;
    send_queue.descriptors[0].address = to_physical(bytes);
    send_queue.descriptors[0].bytes = (uint32_t)size;
    virtio_offer(&device, SEND, &send_queue, 0);
    while (!virtio_take(&send_queue, &head, &written))
        ;
}

// Returns the buffer being read and goes on to the next one.
static void next_buffer(void) {
    if (holding)
        virtio_offer(&device, RECEIVE, &receive_queue, (uint16_t)held);
    holding = virtio_take(&receive_queue, &held, &held_bytes);
    read_bytes = 0;
}

int virtio_console_read(void) {
    while (!holding || read_bytes == held_bytes) {
        next_buffer();
        if (!holding)
            return -1;
    }
    return buffers[held][read_bytes++];
}
