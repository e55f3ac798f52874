// The programs linked into the kernel, and loading them.
//
// Loading only notes where content is to be found: pages are filled when first touched. The images
// come from our own build, so their ELF headers are asserted rather than checked.
#include "program.h"

#include "elf.h"
#include "layout.h"
#include "memory.h"
#include "print.h"
#include "process.h"
#include "riscv.h"
#include "user_memory.h"

// From the generated table.
extern const struct program program_table[];
extern const uint64_t program_count;

#define PROGRAM_LIMIT 64
static unsigned instances[PROGRAM_LIMIT];

bool arguments_add(struct arguments *arguments, const char *word) {
    size_t bytes = strlen(word) + 1;
    if (bytes > ARGUMENTS_BYTES - arguments->bytes)
        return false;
    memcpy(arguments->text + arguments->bytes, word, bytes);
    arguments->bytes += bytes;
    arguments->count++;
    return true;
}

const struct program *program_find(const char *name) {
    for (uint64_t i = 0; i < program_count; i++) {
        if (text_equal(program_table[i].name, name))
            return &program_table[i];
    }
    return NULL;
}

unsigned program_next_instance(const struct program *program) {
    ASSERT(program_count <= PROGRAM_LIMIT);
    return ++instances[program - program_table];
}

// The area of one segment. Its file offset and address agree within a page, and no two segments
// share a page: the programs' linker script sees to both.
static struct area segment_area(const struct program *program, const struct elf_segment *segment) {
    uint64_t permissions = ENTRY_READ;
    permissions |= segment->flags & ELF_SEGMENT_WRITE ? ENTRY_WRITE : 0;
    permissions |= segment->flags & ELF_SEGMENT_EXECUTE ? ENTRY_EXECUTE : 0;
    return (struct area){
        .start = page_down(segment->virtual_address),
        .end = page_up(segment->virtual_address + segment->memory_bytes),
        .permissions = permissions,
        .image = program->image + segment->offset,
        .image_address = segment->virtual_address,
        .image_bytes = segment->file_bytes,
    };
}

// Adds the program's areas; returns where the last one ends.
static uint64_t add_segments(const struct program *program, struct address_space *space) {
    const struct elf_header *header = (const void *)program->image;
    const struct elf_segment *segment = (const void *)(program->image + header->segments_offset);
    uint64_t end = 0;
    ASSERT(memcmp(header->identification, "\177ELF", 4) == 0);
    for (int i = 0; i < header->segment_count; i++, segment++) {
        if (segment->type != ELF_SEGMENT_LOAD || segment->memory_bytes == 0)
            continue;
        const struct area *area = address_space_add(space, segment_area(program, segment));
        ASSERT(area && area->start >= USER_START);
        end = area->end > end ? area->end : end;
    }
    return end;
}

static void add_heap_and_stack(struct address_space *space, uint64_t heap) {
    uint64_t permissions = ENTRY_READ | ENTRY_WRITE;
    const struct area *area = address_space_add(
        space, (struct area){.start = heap, .end = heap, .permissions = permissions});
    space->heap = (int)(area - space->areas);
    address_space_add(space, (struct area){.start = USER_TOP - USER_STACK_BYTES,
                                           .end = USER_TOP,
                                           .permissions = permissions});
}

// Puts the texts and, below them, the array of pointers to them on the stack. Returns the address
// of the array, which is also the stack pointer; 0 when memory runs out.
static uint64_t push_arguments(const struct arguments *arguments, struct address_space *space) {
    uint64_t texts = (USER_TOP - arguments->bytes) & ~15ul;
    uint64_t array = (texts - (arguments->count + 1) * sizeof(uint64_t)) & ~15ul;
    if (!copy_to_user(space, texts, arguments->text, arguments->bytes))
        return 0;
    uint64_t offset = 0;
    for (uint64_t i = 0; i <= arguments->count; i++) {
        uint64_t text = i < arguments->count ? texts + offset : 0;
        if (!copy_to_user(space, array + i * sizeof text, &text, sizeof text))
            return 0;
        offset += text ? strlen(arguments->text + offset) + 1 : 0;
    }
    return array;
}

bool program_load(const struct program *program, const struct arguments *arguments,
                  struct process *process) {
    const struct elf_header *header = (const void *)program->image;
    add_heap_and_stack(&process->space, add_segments(program, &process->space));
    uint64_t stack = push_arguments(arguments, &process->space);
    if (!stack)
        return false;
    process->frame.program_counter = header->entry;
    process->frame.status = STATUS_USER_64_BIT | STATUS_USER_INTERRUPTS | STATUS_FLOAT_OFF;
    STACK_POINTER(&process->frame) = stack;
    ARGUMENT(&process->frame, 0) = arguments->count;
    ARGUMENT(&process->frame, 1) = stack;
    return true;
}
