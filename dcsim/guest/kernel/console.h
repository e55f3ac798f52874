// The console: output at once, input by interrupt.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Chooses the device (settings.console; the UART where that one is missing) and lets input
// interrupt. Until then output goes to the UART.
void console_start(void);

void console_write(const char *bytes, size_t size);

// Takes up to `size` typed bytes; waits for the first.
size_t console_read(char *bytes, size_t size);
