// The console. Typed bytes wait in a small ring; what does not fit is lost.
#include "console.h"

#include "machine.h"
#include "plic.h"
#include "print.h"
#include "sbi.h"
#include "schedule.h"
#include "settings.h"
#include "uart.h"
#include "virtio_console.h"

#define RING_BYTES 256u

static char ring[RING_BYTES];
static unsigned typed, taken;  // counts since boot; their difference is what waits
static enum console_kind in_use = CONSOLE_UART;

// The firmware only prints: beside it, input comes from the UART.
static int read_byte(void) {
    return in_use == CONSOLE_VIRTIO ? virtio_console_read() : uart_read();
}

static void input_arrived(void *unused) {
    (void)unused;
    int byte;
    while ((byte = read_byte()) >= 0) {
        if (typed - taken < RING_BYTES)
            ring[typed++ % RING_BYTES] = (char)byte;
    }
    wake(&ring);
}

void console_start(void) {
    if (settings.console == CONSOLE_VIRTIO && virtio_console_start(input_arrived)) {
        in_use = CONSOLE_VIRTIO;
        return;
    }
    if (settings.console == CONSOLE_VIRTIO)
        print("kernel: no virtio console, using the UART\n");
    if (settings.console == CONSOLE_FIRMWARE && sbi_has(SBI_CONSOLE))
        in_use = CONSOLE_FIRMWARE;
    if (machine.uart.address && machine.plic.address) {
        uart_start();
        plic_enable(machine.uart.interrupt, input_arrived, NULL);
    }
}

void console_write(const char *bytes, size_t size) {
    if (in_use == CONSOLE_VIRTIO)
        virtio_console_write(bytes, size);
    else if (in_use == CONSOLE_FIRMWARE)
        sbi_console_write(bytes, size);
    else if (machine.uart.address)
        uart_write(bytes, size);
}

size_t console_read(char *bytes, size_t size) {
    while (typed == taken)
        wait_on(&ring);
    size_t count = 0;
    while (count < size && typed != taken)
        bytes[count++] = ring[taken++ % RING_BYTES];
    return count;
}
