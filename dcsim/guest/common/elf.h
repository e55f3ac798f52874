// ELF-64 files, as far as they are used here (System V ABI, chapters "ELF Header" and "Program Header").
#pragma once

#include <stdint.h>

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

// A type of segment, and flags.
#define ELF_SEGMENT_LOAD 1
#define ELF_SEGMENT_EXECUTE 1
#define ELF_SEGMENT_WRITE 2
