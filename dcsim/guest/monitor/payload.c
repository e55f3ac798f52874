#include "payload.h"

#include "guest_memory.h"
#include "machine.h"
#include "memory.h"
#include "report.h"
#include "riscv.h"

#define SEGMENT_LOAD 1

// ELF-64, as far as it is used here (System V ABI, chapters "ELF Header" and "Program Header").
struct elf_header {
    uint8_t identification[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments_offset, sections_offset;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, virtual_address, physical_address, file_bytes, memory_bytes, alignment;
};

// In payload.S.
extern const char payload[];

static void load_segment(const struct elf_segment *segment) {
    if (segment->type != SEGMENT_LOAD)
        return;
    if (!guest_has_memory(segment->physical_address, segment->memory_bytes))
        give_up("the guest's memory is too small");
    memcpy(guest_pointer(segment->physical_address), payload + segment->offset, segment->file_bytes);
}

static void load_kernel(void) {
    const struct elf_header *header = (const struct elf_header *)payload;
    const struct elf_segment *segments =
        (const struct elf_segment *)(payload + header->segments_offset);
    for (unsigned i = 0; i < header->segment_count; i++)
        load_segment(&segments[i]);
    if (header->entry != IMAGE_START)
        give_up("the kernel does not start at 0x%lx", IMAGE_START);
}

void payload_load(void) {
    if (machine.depth > 1)
        memcpy(guest_pointer(IMAGE_START), image_start, (uint64_t)(loaded_end - image_start));
    else
        load_kernel();
    flush_instructions();
}
