// The memory balloon.
#include "balloon.h"

#include <stddef.h>

#include "fault.h"
#include "frames.h"
#include "layout.h"
#include "machine.h"
#include "plic.h"
#include "print.h"
#include "replace.h"
#include "settings.h"
#include "swap.h"
#include "virtio.h"

enum queue_number { INFLATE, DEFLATE, STATISTICS, REPORTING_AFTER_STATISTICS, REPORTING };

#define FEATURE_MUST_TELL_HOST (1u << 0)
#define FEATURE_STATISTICS (1u << 1)
#define FEATURE_DEFLATE_ON_OOM (1u << 2)
#define FEATURE_REPORTING (1u << 5)

// Fields of the configuration: pages that the host wants, pages that it has.
#define CONFIG_WANTED 0
#define CONFIG_HELD 4

#define LIST_PAGES 256     // in one request
#define RESERVE_FRAMES 32  // stay with the kernel whatever the host wants
#define REPORT_LEAST 32    // fewer free frames are not worth a report

enum statistic {
    SWAPPED_IN,   // bytes
    SWAPPED_OUT,
    MAJOR_FAULTS,
    MINOR_FAULTS,
    FREE_BYTES,
    TOTAL_BYTES,
    STATISTIC_KINDS,
};

struct __attribute__((packed)) statistic_entry {
    uint16_t kind;
    uint64_t value;
};

static struct virtio device;
static uint32_t features;
static struct virtqueue inflate_queue, deflate_queue, statistics_queue, report_queue;
static uint32_t report_number;
static uint32_t list[LIST_PAGES];  // of page numbers
static struct statistic_entry statistics[STATISTIC_KINDS];

static bool running;     // there is a device, and it was not refused
static bool attention;   // the device has something to say, or work is left
static uint32_t held;    // frames that the host has
static uint32_t kept;    // the list of them

static void balloon_interrupted(void *unused) {
    virtio_acknowledge(&device);
    attention = true;
}

// The host counts on nothing before the statistics are wanted again: no interrupt is needed to know.
static void offer_statistics(void) {
    const uint64_t values[STATISTIC_KINDS] = {
        [SWAPPED_IN] = swap_pages_read() * PAGE_BYTES,
        [SWAPPED_OUT] = swap_pages_written() * PAGE_BYTES,
        [MAJOR_FAULTS] = faults_major(),
        [MINOR_FAULTS] = faults_minor(),
        [FREE_BYTES] = frames_free() * PAGE_BYTES,
        [TOTAL_BYTES] = machine.memory_bytes,
    };
    for (uint16_t kind = 0; kind < STATISTIC_KINDS; kind++)
        statistics[kind] = (struct statistic_entry){kind, values[kind]};
    statistics_queue.descriptors[0].address = to_physical(statistics);
    statistics_queue.descriptors[0].bytes = sizeof statistics;
    virtio_offer(&device, STATISTICS, &statistics_queue, 0);
}

// The device is quick, or stops this machine while it works: it is not worth sleeping for.
static void send(uint32_t number, struct virtqueue *queue) {
    uint32_t head, bytes;
    virtio_offer(&device, number, queue, 0);
    while (!virtio_take(queue, &head, &bytes))
        ;
}

static void add_queue(uint32_t number, struct virtqueue *queue) {
    queue->offered.flags = OFFERED_NO_INTERRUPT;
    virtio_add_queue(&device, number, queue);
}

// The specification gives every queue a number; some devices count only the queues that they have.
static void add_optional_queues(void) {
    if (features & FEATURE_STATISTICS)
        virtio_add_queue(&device, STATISTICS, &statistics_queue);
    report_number = virtio_has_queue(&device, REPORTING) ? REPORTING : REPORTING_AFTER_STATISTICS;
    if (features & FEATURE_REPORTING)
        add_queue(report_number, &report_queue);
}

void balloon_start(void) {
    features = FEATURE_MUST_TELL_HOST | FEATURE_STATISTICS | FEATURE_DEFLATE_ON_OOM;
    if (settings.balloon == BALLOON_ON)
        features |= FEATURE_REPORTING;
    if (settings.balloon == BALLOON_OFF || !virtio_find(VIRTIO_BALLOON, &device, &features))
        return;
    add_queue(INFLATE, &inflate_queue);
    add_queue(DEFLATE, &deflate_queue);
    add_optional_queues();
    plic_enable(device.interrupt, balloon_interrupted, NULL);
    virtio_start(&device);
    if (features & FEATURE_STATISTICS)
        offer_statistics();
    running = attention = true;
    print("kernel: balloon\n");
}

// Tells the device of the first pages of the list, and waits until it knows.
static void send_list(uint32_t number, struct virtqueue *queue, uint32_t pages) {
    queue->descriptors[0].address = to_physical(list);
    queue->descriptors[0].bytes = pages * (uint32_t)sizeof *list;
    send(number, queue);
    virtio_config_set_word(&device, CONFIG_HELD, held);
}

// Gives up to so many frames; false when there was none to give.
static bool inflate(uint32_t wanted) {
    uint32_t pages = 0;
    while (pages < wanted && pages < LIST_PAGES && frames_replace(RESERVE_FRAMES + 1)) {
        uint64_t frame = frame_allocate();
        frame_keep(&kept, frame);
        list[pages++] = (uint32_t)(frame / PAGE_BYTES);
    }
    held += pages;
    if (pages)
        send_list(INFLATE, &inflate_queue, pages);
    return pages;
}

// The frames are nobody's before the host has heard of it.
static void deflate(uint32_t wanted) {
    uint32_t pages = wanted < LIST_PAGES ? wanted : LIST_PAGES;
    for (uint32_t i = 0; i < pages; i++)
        list[i] = (uint32_t)(frame_take_kept(&kept) / PAGE_BYTES);
    held -= pages;
    send_list(DEFLATE, &deflate_queue, pages);
    for (uint32_t i = 0; i < pages; i++)
        frame_release(list[i] * PAGE_BYTES);
}

bool balloon_give_way(void) {
    if (!(features & FEATURE_DEFLATE_ON_OOM) || held == 0)
        return false;
    deflate(held);
    return true;
}

// Adds a frame to the piece of memory that descriptor `run` describes, if it lies beside it.
static bool extend(uint16_t run, uint64_t frame) {
    uint64_t start = report_queue.descriptors[run].address;
    uint32_t bytes = report_queue.descriptors[run].bytes;
    if (frame != start + bytes && frame + PAGE_BYTES != start)
        return false;
    report_queue.descriptors[run].address = frame < start ? frame : start;
    report_queue.descriptors[run].bytes = bytes + PAGE_BYTES;
    return true;
}

// Describes free frames that the host has not heard of; how many descriptors that took.
static uint16_t describe_free(void) {
    uint16_t runs = 0;
    for (uint64_t frame; (frame = frame_take_unreported());) {
        if (runs && extend(runs - 1, frame))
            continue;
        if (runs == QUEUE_SIZE) {
            frame_release(frame);
            break;
        }
        report_queue.descriptors[runs].address = frame;
        report_queue.descriptors[runs].bytes = PAGE_BYTES;
        report_queue.descriptors[runs].flags = DESCRIPTOR_DEVICE_WRITES | DESCRIPTOR_NEXT;
        report_queue.descriptors[runs].next = runs + 1;
        runs++;
    }
    return runs;
}

// Nobody uses the frames while the host is told, for it may take them meanwhile.
static void report_free(void) {
    uint16_t runs = describe_free();
    report_queue.descriptors[runs - 1].flags = DESCRIPTOR_DEVICE_WRITES;
    send(report_number, &report_queue);
    while (runs--) {
        uint64_t frame = report_queue.descriptors[runs].address;
        uint64_t end = frame + report_queue.descriptors[runs].bytes;
        for (; frame < end; frame += PAGE_BYTES)
            frame_release_reported(frame);
    }
}

void balloon_idle(void) {
    while (running && features & FEATURE_REPORTING && frames_unreported() >= REPORT_LEAST)
        report_free();
}

static void serve_statistics(void) {
    uint32_t head, bytes;
    while (features & FEATURE_STATISTICS && virtio_take(&statistics_queue, &head, &bytes))
        offer_statistics();
}

bool balloon_work(void) {
    if (!attention)
        return false;
    attention = false;
    serve_statistics();
    balloon_idle();
    uint32_t wanted = virtio_config_word(&device, CONFIG_WANTED);
    if (settings.balloon == BALLOON_REFUSE)
        return false;
    bool moved = wanted > held && inflate(wanted - held);
    if (wanted < held) {
        deflate(held - wanted);
        moved = true;
    }
    // What cannot be given now is tried again when the device next speaks, as it may have meanwhile.
    attention |= moved && wanted != held;
    return attention;
}
