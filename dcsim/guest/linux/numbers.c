// Prints and parses numbers of many kinds.
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    double values[] = {0.0, -0.0, 1.0 / 3, 1e300 * 1e10, 0.1 + 0.2, DBL_MIN / 3, 123456789.125, 5e-324};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        printf("%g %.17g %e %.3f %a\n", values[i], values[i], values[i], values[i], values[i]);
    printf("%d %u %x %o %ld\n", -7, -7, 255, 8, 1L << 31);
    printf("%+5d|%-5d|%05d|%'d\n", 42, 42, 42, 1000000);
    const char *texts[] = {"1.5e3", "0x1.8p1", "inf", "nan(7)", "12abc", "-0"};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *end;
        double value = strtod(texts[i], &end);
        printf("%s -> %g rest `%s`\n", texts[i], value, end);
    }
    printf("%" PRId64 " %ld %lu\n", INT64_MIN, strtol("777", NULL, 8), strtoul("ff", NULL, 16));
    printf("%Lg\n", 1.0L / 7);
    return 0;
}
