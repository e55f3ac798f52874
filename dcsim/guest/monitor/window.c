#include "window.h"

#include "exit.h"
#include "layout.h"
#include "machine.h"
#include "paging.h"
#include "riscv.h"
#include "shadow.h"
#include "world.h"

// The window is somewhere in the last 2 MiB of all addresses, at first in their last pages.
#define AREA_START (-level_bytes(1))
#define PLACES (ENTRIES / WINDOW_PAGES)

#define OWN_ENTRY (ENTRY_VALID | ENTRY_ACCESSED | ENTRY_DIRTY)

// The monitor's page table: memory where it is, and the window.
static _Alignas(PAGE_BYTES) uint64_t root[ENTRIES], area_table[ENTRIES], window_table[ENTRIES];
static unsigned moves;

static uint64_t window_start_address(void) {
    return AREA_START + (PLACES - 1 - moves % PLACES) * WINDOW_PAGES * PAGE_BYTES;
}

uint64_t window_address(unsigned page) {
    return window_start_address() + page * PAGE_BYTES;
}

uint64_t window_entry(unsigned page) {
    if (page == 0)
        return entry_make((uint64_t)window_code, OWN_ENTRY | ENTRY_READ | ENTRY_EXECUTE);
    return entry_make((uint64_t)&world_page, OWN_ENTRY | ENTRY_READ | ENTRY_WRITE);
}

bool window_covers(uint64_t address) {
    return address - window_start_address() < WINDOW_PAGES * PAGE_BYTES;
}

static void open_window(void) {
    for (unsigned page = 0; page < WINDOW_PAGES; page++)
        window_table[entry_index(window_address(page), 0)] = window_entry(page);
    uint64_t code = window_address(0);
    CSR_WRITE(stvec, code + (uint64_t)(window_exit - window_code));
    CSR_WRITE(sscratch, window_address(1));
    WORLD.enter = code + (uint64_t)(window_enter - window_code);
}

static void map_memory(void) {
    uint64_t end = MEMORY_START + GUEST_OFFSET + machine.guest_bytes, step = level_bytes(LEVELS - 1);
    for (uint64_t start = MEMORY_START; start < end; start += step)
        root[entry_index(start, LEVELS - 1)] = entry_make(start, OWN_ENTRY | ENTRY_RIGHTS);
}

void window_start(void) {
    map_memory();
    root[entry_index(AREA_START, 2)] = entry_make((uint64_t)area_table, ENTRY_VALID);
    area_table[entry_index(AREA_START, 1)] = entry_make((uint64_t)window_table, ENTRY_VALID);
    open_window();
    WORLD.monitor_satp = SATP_SV39 | (uint64_t)root >> 12;
    WORLD.serve = (uint64_t)exit_serve;
    WORLD.stack = (uint64_t)monitor_stack_top;
    fence_everything();
    CSR_WRITE(satp, WORLD.monitor_satp);
}

void window_move(void) {
    for (unsigned page = 0; page < WINDOW_PAGES; page++)
        window_table[entry_index(window_address(page), 0)] = 0;
    moves++;
    open_window();
    shadow_forget_all();
}
