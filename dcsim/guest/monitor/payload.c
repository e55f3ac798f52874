#include "payload.h"

#include "elf.h"
#include "guest_memory.h"
#include "machine.h"
#include "memory.h"
#include "report.h"
#include "riscv.h"

// In payload.S.
extern const char payload[];

static void load_segment(const struct elf_segment *segment) {
    if (segment->type != ELF_SEGMENT_LOAD)
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
