// The disk: a virtio block device (specification section 5.2).
//
// A request is three descriptors: a header for the device to read, the data, and a status byte for
// it to write. Request r uses descriptors 3r, 3r + 1 and 3r + 2. Request 0 is kept for callers that
// idle: those who yield may hold all others, and none of them runs while somebody idles.
#include "block.h"

#include "frames.h"
#include "interrupts.h"
#include "layout.h"
#include "memory.h"
#include "plic.h"
#include "print.h"
#include "schedule.h"
#include "virtio.h"

#define QUEUE 0
#define REQUESTS 8
#define DESCRIPTORS_PER_REQUEST 3
#define FLUSH 4                  // the type of a request without data
#define FEATURE_FLUSH (1u << 9)  // VIRTIO_BLK_F_FLUSH

struct request {
    struct {
        uint32_t type;  // 0 reads, 1 writes: as enum block_direction; or FLUSH
        uint32_t reserved;
        uint64_t sector;
    } header;
    volatile uint8_t status;  // 0: success
    volatile bool done;
    bool in_use;
};

static struct virtio disk;
static struct virtqueue queue;
static struct request requests[REQUESTS];
static uint64_t sectors;
static bool has_flush;

static void disk_interrupted(void *unused) {
    uint32_t head, bytes;
    virtio_acknowledge(&disk);
    while (virtio_take(&queue, &head, &bytes)) {
        struct request *request = &requests[head / DESCRIPTORS_PER_REQUEST];
        request->done = true;
        wake(request);
    }
}

void block_start(void) {
    uint32_t features = FEATURE_FLUSH;
    if (!virtio_find(VIRTIO_BLOCK, &disk, &features))
        return;
    has_flush = features & FEATURE_FLUSH;
    sectors = virtio_config_word(&disk, 0) | (uint64_t)virtio_config_word(&disk, 4) << 32;
    virtio_add_queue(&disk, QUEUE, &queue);
    plic_enable(disk.interrupt, disk_interrupted, NULL);
    virtio_start(&disk);
    print("kernel: disk of %lu sectors\n", sectors);
}

uint64_t block_sectors(void) {
    return sectors;
}

static void describe(unsigned index, const volatile void *data, uint64_t bytes, uint16_t flags) {
    queue.descriptors[index].address = to_physical((const void *)data);
    queue.descriptors[index].bytes = (uint32_t)bytes;
    queue.descriptors[index].flags = flags;
    queue.descriptors[index].next = (uint16_t)(index + 1);
}

static struct request *free_request(enum block_wait wait) {
    if (wait == BLOCK_WAIT_IDLE)
        return &requests[0];
    for (;;) {
        for (int i = 1; i < REQUESTS; i++) {
            if (!requests[i].in_use)
                return &requests[i];
        }
        wait_on(requests);
    }
}

static void wait_for(struct request *request, enum block_wait wait) {
    while (wait == BLOCK_WAIT_YIELD && !request->done)
        wait_on(request);
    if (request->done)
        return;
    plic_listen_here();
    while (!request->done)
        interrupts_wait();
    plic_listen_at_first();
}

// Fills in the header of a request; returns the number of its first descriptor.
static unsigned begin(struct request *request, uint32_t type, uint64_t sector) {
    unsigned first = (unsigned)(request - requests) * DESCRIPTORS_PER_REQUEST;
    *request = (struct request){.header = {type, 0, sector}, .in_use = true};
    describe(first, &request->header, sizeof request->header, DESCRIPTOR_NEXT);
    return first;
}

// Puts the status behind what is described up to `last`, has the request done, and tells how it went.
static bool carry_out(struct request *request, unsigned first, unsigned last,
                      enum block_wait wait) {
    describe(last, &request->status, 1, DESCRIPTOR_DEVICE_WRITES);
    virtio_offer(&disk, QUEUE, &queue, (uint16_t)first);
    wait_for(request, wait);
    request->in_use = false;
    wake(requests);
    return request->status == 0;
}

bool block_transfer(enum block_direction direction, uint64_t sector, uint64_t frame, uint64_t bytes,
                    enum block_wait wait) {
    struct request *request = free_request(wait);
    unsigned first = begin(request, direction, sector);
    describe(first + 1, to_pointer(frame), bytes,
             DESCRIPTOR_NEXT | (direction == BLOCK_READ ? DESCRIPTOR_DEVICE_WRITES : 0));
    return carry_out(request, first, first + 2, wait);
}

bool block_flush(void) {
    if (!has_flush)
        return true;  // such a device has no cache of its own
    struct request *request = free_request(BLOCK_WAIT_YIELD);
    unsigned first = begin(request, FLUSH, 0);
    return carry_out(request, first, first + 1, BLOCK_WAIT_YIELD);
}
