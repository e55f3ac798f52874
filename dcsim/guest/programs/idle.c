// Sleeps, waking up now and then, for seconds= (0: for ever). period= milliseconds
#include "guest.h"

int main(int argc, char **argv) {
    uint64_t seconds = argument(argc, argv, "seconds", 0);
    uint64_t period = argument(argc, argv, "period", 1000);
    uint64_t naps = period ? seconds * 1000 / period : 0;
    if (period == 0)
        fail("idle: period=0\n");
    for (uint64_t nap = 0; seconds == 0 || nap < naps; nap++)
        sleep_ms(period);
    print("result idle naps=%lu\n", naps);
    return 0;
}
