// The kernel's own settings and the first program, from the boot arguments.
#include "settings.h"

#include "hart.h"
#include "memory.h"
#include "print.h"

struct settings settings = {
    .tick_ms = 10,
    .harts = HART_LIMIT,
    .program = "suite",
};

static int argument_count = 1;  // [0] becomes the program's name

static enum console_kind console_called(const char *name) {
    if (text_equal(name, "sbi"))
        return CONSOLE_FIRMWARE;
    return text_equal(name, "virtio") ? CONSOLE_VIRTIO : CONSOLE_UART;
}

static enum balloon_kind balloon_called(const char *name) {
    if (text_equal(name, "off"))
        return BALLOON_OFF;
    return text_equal(name, "refuse") ? BALLOON_REFUSE : BALLOON_ON;
}

static void kernel_setting(const char *word) {
    const char *value;
    if ((value = text_after(word, "tick_ms=")) && text_number(value))
        settings.tick_ms = text_number(value);
    else if ((value = text_after(word, "swap_pages=")))
        settings.swap_pages = text_number(value);
    else if ((value = text_after(word, "console=")))
        settings.console = console_called(value);
    else if ((value = text_after(word, "harts=")))
        settings.harts = text_number(value);
    else if ((value = text_after(word, "locks=")))
        settings.paravirtual_locks = text_equal(value, "paravirtual");
    else if ((value = text_after(word, "lock_statistics=")))
        settings.lock_statistics = text_number(value);
    else if ((value = text_after(word, "hart_statistics=")))
        settings.hart_statistics = text_number(value);
    else if ((value = text_after(word, "balloon=")))
        settings.balloon = balloon_called(value);
    else
        print("kernel: unknown setting kernel.%s\n", word);
}

// Words before init= that are not the kernel's belong to some boot loader, and are ignored.
static void read_word(const char *word) {
    static bool after_program;
    const char *value;
    if ((value = text_after(word, "kernel."))) {
        kernel_setting(value);
    } else if ((value = text_after(word, "init="))) {
        settings.program = value;
        after_program = true;
    } else if (after_program && argument_count < ARGUMENT_LIMIT) {
        settings.arguments[argument_count++] = word;
    }
}

void settings_read(char *text) {
    while (*text) {
        char *word = text;
        while (*text && *text != ' ')
            text++;
        if (*text)
            *text++ = 0;
        if (*word)
            read_word(word);
    }
    settings.arguments[0] = settings.program;
}
