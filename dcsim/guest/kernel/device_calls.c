// System calls on the disk and the network card. Data goes through a frame of the kernel: the
// device keeps access to it while the process waits, whatever happens to the process's own page
// meanwhile.
#include "device_calls.h"

#include "block.h"
#include "frames.h"
#include "layout.h"
#include "network.h"
#include "replace.h"
#include "schedule.h"
#include "settings.h"
#include "system_calls.h"
#include "user_memory.h"

// What the swap area leaves of the disk.
static uint64_t user_sectors(void) {
    return block_sectors() - settings.swap_pages * (PAGE_BYTES / SECTOR_BYTES);
}

int64_t call_disk_sectors(const uint64_t *arguments) {
    return (int64_t)user_sectors();
}

// Moves up to a page between the disk and the process, through `frame`.
static int64_t move(enum block_direction direction, uint64_t sector, uint64_t address,
                    uint64_t size, uint64_t frame) {
    struct address_space *space = &current()->space;
    void *buffer = to_pointer(frame);
    if (direction == BLOCK_WRITE && !copy_from_user(space, buffer, address, size))
        return ERROR_ARGUMENT;
    if (!block_transfer(direction, sector, frame, size, BLOCK_WAIT_YIELD))
        return ERROR_DEVICE;
    if (direction == BLOCK_READ && !copy_to_user(space, address, buffer, size))
        return ERROR_ARGUMENT;
    return 0;
}

static int64_t transfer(enum block_direction direction, const uint64_t *arguments) {
    uint64_t sector = arguments[0], address = arguments[1], size = arguments[2];
    uint64_t sectors = user_sectors();
    if (sectors == 0)
        return ERROR_NO_DEVICE;
    if (size % SECTOR_BYTES || sector > sectors || size / SECTOR_BYTES > sectors - sector)
        return ERROR_ARGUMENT;
    if (!frames_reserve(1))
        return ERROR_NO_MEMORY;
    uint64_t frame = frame_allocate();
    int64_t result = 0;
    for (uint64_t done = 0, part; done < size && result == 0; done += part) {
        part = size - done < PAGE_BYTES ? size - done : PAGE_BYTES;
        result = move(direction, sector + done / SECTOR_BYTES, address + done, part, frame);
    }
    frame_release(frame);
    return result;
}

int64_t call_disk_read(const uint64_t *arguments) {
    return transfer(BLOCK_READ, arguments);
}

int64_t call_disk_write(const uint64_t *arguments) {
    return transfer(BLOCK_WRITE, arguments);
}

int64_t call_disk_flush(const uint64_t *arguments) {
    if (user_sectors() == 0)
        return ERROR_NO_DEVICE;
    return block_flush() ? 0 : ERROR_DEVICE;
}

int64_t call_packet_address(const uint64_t *arguments) {
    if (!network_address())
        return ERROR_NO_DEVICE;
    bool copied = copy_to_user(&current()->space, arguments[0], network_address(),
                               NETWORK_ADDRESS_BYTES);
    return copied ? 0 : ERROR_ARGUMENT;
}

int64_t call_packet_receive(const uint64_t *arguments) {
    if (!network_address())
        return ERROR_NO_DEVICE;
    struct packet packet = network_receive();
    uint64_t size = packet.size < arguments[1] ? packet.size : arguments[1];
    bool copied = copy_to_user(&current()->space, arguments[0], packet.bytes, size);
    network_return(packet);
    return copied ? (int64_t)size : ERROR_ARGUMENT;
}

int64_t call_packet_send(const uint64_t *arguments) {
    if (!network_address())
        return ERROR_NO_DEVICE;
    if (arguments[1] > NETWORK_FRAME_BYTES)
        return ERROR_ARGUMENT;
    uint8_t *buffer = network_send_buffer();
    if (!copy_from_user(&current()->space, buffer, arguments[0], arguments[1]))
        return ERROR_ARGUMENT;
    network_send(arguments[1]);
    return 0;
}
