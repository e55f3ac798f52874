// The 16550 serial port: eight byte-wide registers.
#include "uart.h"

#include "layout.h"
#include "machine.h"

enum {
    DATA = 0,              // read: received byte; write: byte to send
    INTERRUPT_ENABLE = 1,  // bit 0: received data
    FIFO_CONTROL = 2,      // bit 0: queues on
    LINE_CONTROL = 3,      // 3: eight bits, no parity, one stop bit
    MODEM_CONTROL = 4,     // bit 3: lets the interrupt out
    LINE_STATUS = 5,
};

#define STATUS_RECEIVED 0x01
#define STATUS_SEND_EMPTY 0x20
#define SEND_QUEUE_BYTES 16

static volatile uint8_t *registers(void) {
    return to_pointer(machine.uart.address);
}

// What was typed before stays in the queue.
void uart_start(void) {
    volatile uint8_t *uart = registers();
    uart[LINE_CONTROL] = 3;
    uart[FIFO_CONTROL] = 1;
    uart[MODEM_CONTROL] = 8;
    uart[INTERRUPT_ENABLE] = 1;
}

// An empty send queue takes 16 bytes, so its state is asked for once per 16: under a hypervisor
// every register access is an exit.
void uart_write(const char *bytes, size_t size) {
    volatile uint8_t *uart = registers();
    for (size_t i = 0; i < size; i++) {
        while (i % SEND_QUEUE_BYTES == 0 && !(uart[LINE_STATUS] & STATUS_SEND_EMPTY))
            ;
        uart[DATA] = (uint8_t)bytes[i];
    }
}

const volatile uint8_t *uart_status_register(void) {
    return registers() + LINE_STATUS;
}

int uart_read(void) {
    volatile uint8_t *uart = registers();
    return uart[LINE_STATUS] & STATUS_RECEIVED ? uart[DATA] : -1;
}
