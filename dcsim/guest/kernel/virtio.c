// Virtio devices behind memory-mapped registers.
#include "virtio.h"

#include "hypervisor.h"
#include "layout.h"
#include "machine.h"
#include "print.h"
#include "riscv.h"

enum {
    MAGIC = 0x0,
    VERSION = 0x4,
    TYPE = 0x8,
    DEVICE_FEATURES = 0x10,
    DEVICE_FEATURES_SELECT = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SELECT = 0x24,
    QUEUE_SELECT = 0x30,
    QUEUE_SIZE_LIMIT = 0x34,
    QUEUE_SIZE_SET = 0x38,
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACKNOWLEDGE = 0x64,
    STATUS = 0x70,
    QUEUE_DESCRIPTORS = 0x80,
    QUEUE_OFFERED = 0x90,
    QUEUE_USED = 0xa0,
    CONFIG = 0x100,
};

#define MAGIC_VALUE 0x74726976u  // "virt"
#define MODERN 2

#define STATUS_SEEN 1u
#define STATUS_DRIVER 2u
#define STATUS_RUNNING 4u
#define STATUS_FEATURES_AGREED 8u

#define FEATURE_WORD_MODERN 1  // VIRTIO_F_VERSION_1 is bit 32: bit 0 of the second word
#define USED_NO_NOTIFY 1       // in used.flags

static volatile uint32_t *reg(const struct virtio *device, unsigned offset) {
    return to_pointer(device->registers + offset);
}

static void set_status(const struct virtio *device, uint32_t bits) {
    *reg(device, STATUS) |= bits;
}

static void agree_on_features(const struct virtio *device, uint32_t *features) {
    *reg(device, DEVICE_FEATURES_SELECT) = 0;
    *features &= *reg(device, DEVICE_FEATURES);
    *reg(device, DRIVER_FEATURES_SELECT) = 0;
    *reg(device, DRIVER_FEATURES) = *features;
    *reg(device, DRIVER_FEATURES_SELECT) = 1;
    *reg(device, DRIVER_FEATURES) = FEATURE_WORD_MODERN;
    set_status(device, STATUS_FEATURES_AGREED);
    if (!(*reg(device, STATUS) & STATUS_FEATURES_AGREED))
        panic("virtio device at %lx refuses its features", device->registers);
}

bool virtio_find(unsigned type, struct virtio *device, uint32_t *features) {
    for (int i = 0; i < machine.virtio_count; i++) {
        *device = (struct virtio){machine.virtio[i].address, machine.virtio[i].interrupt};
        if (*reg(device, MAGIC) != MAGIC_VALUE || *reg(device, VERSION) != MODERN ||
            *reg(device, TYPE) != type)
            continue;
        *reg(device, STATUS) = 0;
        set_status(device, STATUS_SEEN);
        set_status(device, STATUS_DRIVER);
        agree_on_features(device, features);
        return true;
    }
    return false;
}

// Queue addresses are pairs of registers, low half first.
static void set_address(const struct virtio *device, unsigned offset, const void *address) {
    uint64_t physical = to_physical(address);
    *reg(device, offset) = (uint32_t)physical;
    *reg(device, offset + 4) = (uint32_t)(physical >> 32);
}

bool virtio_has_queue(const struct virtio *device, uint32_t index) {
    *reg(device, QUEUE_SELECT) = index;
    return *reg(device, QUEUE_SIZE_LIMIT) > 0;
}

void virtio_add_queue(const struct virtio *device, uint32_t index, struct virtqueue *queue) {
    *reg(device, QUEUE_SELECT) = index;
    if (*reg(device, QUEUE_SIZE_LIMIT) < QUEUE_SIZE)
        panic("virtio device at %lx has too small queues", device->registers);
    *reg(device, QUEUE_SIZE_SET) = QUEUE_SIZE;
    set_address(device, QUEUE_DESCRIPTORS, queue->descriptors);
    set_address(device, QUEUE_OFFERED, &queue->offered);
    set_address(device, QUEUE_USED, &queue->used);
    *reg(device, QUEUE_READY) = 1;
}

void virtio_start(const struct virtio *device) {
    set_status(device, STATUS_RUNNING);
}

// A hypervisor that tells of an interrupt has acknowledged it.
void virtio_acknowledge(const struct virtio *device) {
    if (hypervisor_present)
        return;
    *reg(device, INTERRUPT_ACKNOWLEDGE) = *reg(device, INTERRUPT_STATUS);
}

uint8_t virtio_config_byte(const struct virtio *device, unsigned offset) {
    return *(volatile uint8_t *)reg(device, CONFIG + offset);
}

uint32_t virtio_config_word(const struct virtio *device, unsigned offset) {
    return *reg(device, CONFIG + offset);
}

void virtio_config_set_word(const struct virtio *device, unsigned offset, uint32_t value) {
    *reg(device, CONFIG + offset) = value;
}

// The fences order what the device must see: the request before the index that announces it, and
// that before the question whether the device is looking anyway.
void virtio_offer(const struct virtio *device, uint32_t index, struct virtqueue *queue,
                  uint16_t head) {
    queue->offered.ring[queue->offered.index % QUEUE_SIZE] = head;
    device_fence();
    queue->offered.index++;
    device_fence();
    if (queue->used.flags & USED_NO_NOTIFY)
        return;
    if (hypervisor_present)
        hypervisor_notify(device->registers, index);
    else
        *reg(device, QUEUE_NOTIFY) = index;
}

bool virtio_take(struct virtqueue *queue, uint32_t *head, uint32_t *bytes) {
    if (queue->taken == queue->used.index)
        return false;
    device_fence();
    *head = queue->used.ring[queue->taken % QUEUE_SIZE].head;
    *bytes = queue->used.ring[queue->taken % QUEUE_SIZE].bytes;
    queue->taken++;
    return true;
}
