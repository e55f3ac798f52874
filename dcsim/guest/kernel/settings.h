// The kernel's own settings and the first program, from the boot arguments.
//
//   [kernel.key=value ...] init=<program> [key=value ...]
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ARGUMENT_LIMIT 32

enum console_kind { CONSOLE_UART, CONSOLE_FIRMWARE, CONSOLE_VIRTIO };
enum balloon_kind { BALLOON_ON, BALLOON_REFUSE, BALLOON_OFF };

struct settings {
    uint64_t tick_ms;        // kernel.tick_ms: how long a process runs before the next one may
    uint64_t swap_pages;     // kernel.swap_pages: pages at the end of the disk for swapping
    enum console_kind console;  // kernel.console: uart, sbi (the firmware) or virtio
    uint64_t harts;          // kernel.harts: how many of the machine's to use, at most
    bool paravirtual_locks;  // kernel.locks: ticket or paravirtual (kernel_lock.c)
    bool lock_statistics;    // kernel.lock_statistics, kernel.hart_statistics: lines at the end
    bool hart_statistics;
    enum balloon_kind balloon;  // kernel.balloon: on, refuse (gives nothing) or off (no driver)
    const char *program;     // init=
    const char *arguments[ARGUMENT_LIMIT + 1];  // argv of init; [0] is its name, NULL ends it
};

extern struct settings settings;

// Splits `text`, which is changed: settings point into it.
void settings_read(char *text);
