// Serves other VMs' disks and networks as a type 1 hypervisor's driver domain. workers=4
//
// Each worker takes a message from the ring, does what it asks for with the devices that the domain
// owns, and answers. What moves between a VM and the devices is the hypervisor's matter: here it is
// a buffer of the same size. It never ends.
#include "driver_ring.h"
#include "guest.h"
#include "requests.h"

#define WORKERS_LIMIT 16
#define BUFFER_BYTES PAGE_BYTES

static uint8_t frame[FRAME_BYTES];
static uint8_t buffer[BUFFER_BYTES];

// The device has an error of its own for what it lacks.
static int move(const struct driver_message *message) {
    uint64_t sector = message->sector, left = message->bytes;
    while (left) {
        uint64_t part = left < sizeof buffer ? left : sizeof buffer;
        int failed = message->operation == DRIVER_READ ? disk_read(sector, buffer, part)
                                                       : disk_write(sector, buffer, part);
        if (failed)
            return failed;
        sector += part / SECTOR_BYTES;
        left -= part;
    }
    return 0;
}

// Returns the size of the answer's frame: a packet has its own.
static uint64_t serve(const struct driver_message *message) {
    uint64_t size = ETHERNET_BYTES + MESSAGE_BYTES;
    int failed = 0;
    if (message->operation == DRIVER_READ || message->operation == DRIVER_WRITE)
        failed = move(message);
    else if (message->bytes > size)
        size = message->bytes < sizeof frame ? message->bytes : sizeof frame;
    message_answer(frame, failed != 0);
    return size;
}

__attribute__((noreturn)) static void work(void) {
    for (;;) {
        struct driver_message message;
        long size = packet_receive(frame, sizeof frame);
        if (size < 0)
            fail("driver: no network\n");
        if (message_read(&message, frame, (uint64_t)size))
            packet_send(frame, serve(&message));
    }
}

int main(int argc, char **argv) {
    uint64_t workers = argument(argc, argv, "workers", 4);
    if (workers == 0 || workers > WORKERS_LIMIT)
        fail("driver: workers=%lu, and 1 to %d can be\n", workers, WORKERS_LIMIT);
    for (uint64_t i = 1; i < workers; i++) {
        int child = fork();
        if (child == 0)
            work();
        if (child < 0)
            fail("driver: no room for %lu workers\n", workers);
    }
    work();
}
