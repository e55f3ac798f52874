// The order of boot. Each step says in its header what it requires; this is the only place that
// knows them all.
#include "address_space.h"
#include "balloon.h"
#include "block.h"
#include "console.h"
#include "frames.h"
#include "hart.h"
#include "interrupts.h"
#include "kernel_map.h"
#include "layout.h"
#include "machine.h"
#include "network.h"
#include "plic.h"
#include "print.h"
#include "privilege.h"
#include "process.h"
#include "schedule.h"
#include "settings.h"
#include "steal.h"
#include "swap.h"
#include "timer.h"

static void start_devices(void) {
    if (machine.plic.address)
        plic_start();
    console_start();
    block_start();
    network_start();
    swap_start();
    balloon_start();
}

// Called by boot.S on the boot stack, in the high half, with the provisional page table.
noreturn void kernel_start(uint64_t hart, uint64_t tree) {
    machine_discover((unsigned)hart, to_pointer(tree));
    settings_read(machine.boot_arguments);
    frames_start(to_physical(image_end), machine.memory_start + machine.memory_bytes);
    kernel_map_start();
    clocks_hide();
    start_devices();
    steal_start();
    timer_start();
    interrupts_allow();  // what devices have had to say already
    address_spaces_start();
    while (balloon_work())
        ;  // nobody needs yet what the host wants
    print("kernel: %lu KiB of memory\n", machine.memory_bytes / 1024);
    process_start_first(settings.program, settings.arguments);
    harts_start();
    idle_loop();
}
