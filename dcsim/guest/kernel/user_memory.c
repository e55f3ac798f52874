// The kernel's access to the memory of processes, page by page.
#include "user_memory.h"

#include "fault.h"
#include "layout.h"
#include "memory.h"

// Would the hart let the program make this access, with nothing left to do for the kernel?
static bool ready(const entry_t *entry, enum access access) {
    uint64_t needed = ENTRY_VALID | ENTRY_USER | ENTRY_READ;
    if (access == ACCESS_WRITE)
        needed |= ENTRY_WRITE | ENTRY_DIRTY;
    return entry && (*entry & needed) == needed;
}

void *user_pointer(struct address_space *space, uint64_t address, enum access access) {
    if (address >= USER_TOP)
        return NULL;
    struct page page = page_table_find(space->root, address);
    if (!ready(page.entry, access)) {
        if (fault_serve(space, address, access) != FAULT_SERVED)
            return NULL;
        page = page_table_find(space->root, address);
    }
    return to_pointer(entry_frame(entry_read(page.entry)) + (address - page.address));
}

static size_t rest_of_page(uint64_t address, size_t size) {
    size_t rest = PAGE_BYTES - address % PAGE_BYTES;
    return rest < size ? rest : size;
}

bool copy_from_user(struct address_space *space, void *to, uint64_t from, size_t size) {
    uint8_t *bytes = to;
    while (size) {
        size_t part = rest_of_page(from, size);
        const void *source = user_pointer(space, from, ACCESS_READ);
        if (!source)
            return false;
        memcpy(bytes, source, part);
        bytes += part, from += part, size -= part;
    }
    return true;
}

bool copy_to_user(struct address_space *space, uint64_t to, const void *from, size_t size) {
    const uint8_t *bytes = from;
    while (size) {
        size_t part = rest_of_page(to, size);
        void *destination = user_pointer(space, to, ACCESS_WRITE);
        if (!destination)
            return false;
        memcpy(destination, bytes, part);
        bytes += part, to += part, size -= part;
    }
    return true;
}

bool copy_text_from_user(struct address_space *space, char *to, uint64_t from, size_t size) {
    for (size_t i = 0; i < size; i++) {
        const char *source = user_pointer(space, from + i, ACCESS_READ);
        if (!source)
            return false;
        to[i] = *source;
        if (to[i] == 0)
            return true;
    }
    return false;
}
