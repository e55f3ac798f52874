// Physical pages. Freed frames form a list that is threaded through the records, not through the
// pages: a free page's content is nobody's business, not even the allocator's.
#include "frames.h"

#include "layout.h"
#include "print.h"

#define LARGE_FRAMES (MEGAPAGE_BYTES / PAGE_BYTES)

struct frame {
    uint32_t references;  // 0: free
    uint32_t next_free;   // index + 1 of the next record in its list; 0 ends it
};

static struct frame *records;  // valid below `fresh`; the others are never read
static uint64_t first;         // physical address of record 0
static uint64_t count, fresh;  // frames; index of the first never used
static uint64_t listed;        // frames in the three lists
static uint64_t unreported;    // frames in the first
static uint32_t free_list;     // single frames
static uint32_t reported_list;  // single frames that the host knows to be free
static uint32_t large_list;    // first frames of large pages that were given back whole

void frames_start(uint64_t start, uint64_t end) {
    uint64_t pages = (page_down(end) - page_up(start)) / PAGE_BYTES;
    records = to_pointer(page_up(start));
    first = page_up(start) + page_up(pages * sizeof *records);
    if (first >= page_down(end))
        panic("no memory");
    count = (page_down(end) - first) / PAGE_BYTES;
}

static struct frame *record_of(uint64_t frame) {
    uint64_t index = (frame - first) / PAGE_BYTES;
    ASSERT(frame >= first && index < fresh && frame % PAGE_BYTES == 0);
    return &records[index];
}

// No single frames are left: those of a large page become some.
static void split_large(void) {
    uint64_t large = frames_allocate_large();
    for (uint64_t i = 0; i < LARGE_FRAMES; i++)
        frame_release(large + i * PAGE_BYTES);
}

static uint64_t take_first(uint32_t *list) {
    uint64_t index = *list - 1;
    *list = records[index].next_free;
    return index;
}

static void put_first(uint32_t *list, struct frame *record) {
    record->next_free = *list;
    *list = (uint32_t)(record - records) + 1;
}

// Takes a listed frame, such as the host need not provide first, or one never used; the index, or
// `count` when none is left.
static uint64_t take_index(void) {
    if (!free_list && !reported_list && fresh == count && large_list)
        split_large();
    if (!free_list && !reported_list)
        return fresh < count ? fresh++ : count;
    listed--;
    if (!free_list)
        return take_first(&reported_list);
    unreported--;
    return take_first(&free_list);
}

uint64_t frame_allocate(void) {
    uint64_t index = take_index();
    if (index == count)
        return 0;
    records[index] = (struct frame){.references = 1};
    return first + index * PAGE_BYTES;
}

// Eight words a round: every page table begins like this.
static void clear_page(uint64_t *words) {
    for (uint64_t *end = words + PAGE_BYTES / sizeof *words; words < end; words += 8) {
        words[0] = words[1] = words[2] = words[3] = 0;
        words[4] = words[5] = words[6] = words[7] = 0;
    }
}

uint64_t frame_allocate_zeroed(void) {
    uint64_t frame = frame_allocate();
    if (frame)
        clear_page(to_pointer(frame));
    return frame;
}

void frame_retain(uint64_t frame) {
    struct frame *record = record_of(frame);
    ASSERT(record->references > 0);
    record->references++;
}

void frame_release(uint64_t frame) {
    struct frame *record = record_of(frame);
    ASSERT(record->references > 0);
    if (--record->references > 0)
        return;
    put_first(&free_list, record);
    listed++;
    unreported++;
}

uint64_t frames_unreported(void) {
    return unreported;
}

uint64_t frame_take_unreported(void) {
    return unreported ? frame_allocate() : 0;
}

void frame_release_reported(uint64_t frame) {
    struct frame *record = record_of(frame);
    ASSERT(record->references == 1);
    record->references = 0;
    put_first(&reported_list, record);
    listed++;
}

void frame_keep(uint32_t *list, uint64_t frame) {
    put_first(list, record_of(frame));
}

uint64_t frame_take_kept(uint32_t *list) {
    return first + take_first(list) * PAGE_BYTES;
}

unsigned frame_references(uint64_t frame) {
    return record_of(frame)->references;
}

uint64_t frames_free(void) {
    return listed + count - fresh;
}

uint64_t frames_allocate_run(uint64_t pages) {
    if (count - fresh < pages)
        panic("no memory for %lu pages in a row", pages);
    uint64_t run = first + fresh * PAGE_BYTES;
    while (pages--)
        records[fresh++] = (struct frame){.references = 1};
    return run;
}

// Frames in front of the boundary are passed over: they go to the free list.
static uint64_t never_used_large(void) {
    uint64_t end = first + count * PAGE_BYTES, unused = first + fresh * PAGE_BYTES;
    uint64_t boundary = (unused + MEGAPAGE_BYTES - 1) & ~(MEGAPAGE_BYTES - 1);
    if (boundary + MEGAPAGE_BYTES > end)
        return 0;
    while (first + fresh * PAGE_BYTES < boundary)
        frame_release(frames_allocate_run(1));
    return frames_allocate_run(LARGE_FRAMES);
}

uint64_t frames_allocate_large(void) {
    if (!large_list)
        return never_used_large();
    uint64_t index = take_first(&large_list);
    listed -= LARGE_FRAMES;
    records[index] = (struct frame){.references = 1};
    return first + index * PAGE_BYTES;
}

static void release_large(uint64_t frame) {
    struct frame *record = record_of(frame);
    ASSERT(record->references > 0);
    if (--record->references > 0)
        return;
    put_first(&large_list, record);
    listed += LARGE_FRAMES;
}

void frames_release(uint64_t frame, uint64_t bytes) {
    if (bytes == MEGAPAGE_BYTES)
        release_large(frame);
    else
        frame_release(frame);
}
