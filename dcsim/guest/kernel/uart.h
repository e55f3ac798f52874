// The 16550 serial port.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Sets the line up and lets received bytes interrupt.
void uart_start(void);

// Works before uart_start too, with the line as the firmware left it.
void uart_write(const char *bytes, size_t size);

// The next received byte, or -1.
int uart_read(void);

// A register that may be read at any time: that changes nothing.
const volatile uint8_t *uart_status_register(void);
