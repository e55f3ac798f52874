// The console. Typed bytes wait in a small ring; what does not fit is lost.
#include "console.h"

#include "machine.h"
#include "plic.h"
#include "sbi.h"
#include "schedule.h"
#include "settings.h"
#include "uart.h"

#define RING_BYTES 256u

static char ring[RING_BYTES];
static unsigned typed, taken;  // counts since boot; their difference is what waits
static bool use_firmware;

static void input_arrived(void *unused) {
    (void)unused;
    int byte;
    while ((byte = uart_read()) >= 0) {
        if (typed - taken < RING_BYTES)
            ring[typed++ % RING_BYTES] = (char)byte;
    }
    wake(&ring);
}

void console_start(void) {
    use_firmware = settings.firmware_console && sbi_has_console();
    if (machine.uart.address && machine.plic.address) {
        uart_start();
        plic_enable(machine.uart.interrupt, input_arrived, NULL);
    }
}

void console_write(const char *bytes, size_t size) {
    if (use_firmware)
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
