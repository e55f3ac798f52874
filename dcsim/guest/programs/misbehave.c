// Misbehaves. how=panic|spin|devices|fork|disk|network after=0(ms) rounds=1000 seed=1
//
// The kernel panics, or spins with interrupts off, or stores rounds= random numbers in the registers
// of its devices; or the program forks without end, or floods the disk or the network. It says what it
// is about to do, and of the first three returns from the last only.
#include "guest.h"

#define FLOODERS 6
#define FLOOD_SECTORS 8ul
#define FRAME_BYTES 1514

static uint8_t bytes[FLOOD_SECTORS * SECTOR_BYTES];

static void fork_without_end(void) {
    for (;;) {
        if (fork() < 0)
            yield();
    }
}

static void flood_disk(uint64_t seed) {
    uint64_t places = disk_sectors() / FLOOD_SECTORS;
    if (!places)
        fail("misbehave: no disk\n");
    for (int child = 0; child < FLOODERS; child++) {
        if (fork() == 0) {
            seed += (uint64_t)child + 1;
            break;
        }
    }
    for (;;)
        disk_write(random_next(&seed) % places * FLOOD_SECTORS, bytes, sizeof bytes);
}

static void flood_network(void) {
    memset(bytes, 0xff, sizeof bytes);
    if (packet_address(bytes + 6) != 0)
        fail("misbehave: no network\n");
    for (;;)
        packet_send(bytes, FRAME_BYTES);
}

int main(int argc, char **argv) {
    const char *how = argument_text(argc, argv, "how", "panic");
    uint64_t after = argument(argc, argv, "after", 0), seed = argument(argc, argv, "seed", 1);
    uint64_t rounds = argument(argc, argv, "rounds", 1000);
    if (after)
        sleep_ms(after);
    print("misbehave: %s\n", how);
    if (text_equal(how, "panic"))
        misbehave(MISBEHAVE_PANIC, 0, 0);
    if (text_equal(how, "spin"))
        misbehave(MISBEHAVE_SPIN, 0, 0);
    if (text_equal(how, "fork"))
        fork_without_end();
    if (text_equal(how, "disk"))
        flood_disk(seed);
    if (text_equal(how, "network"))
        flood_network();
    if (!text_equal(how, "devices"))
        fail("misbehave: nobody knows how to %s\n", how);
    misbehave(MISBEHAVE_DEVICES, rounds, seed);
    print("result misbehave rounds=%lu\n", rounds);
    return 0;
}
