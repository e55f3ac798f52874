// Computes with integers of all sizes, at their limits.
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

static int64_t values[] = {0, 1, -1, 7, -7, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1000000007, -123456789012345};
enum { COUNT = sizeof values / sizeof *values };

int main(void) {
    uint64_t hash = 0xcbf29ce484222325;
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            int64_t a = values[i], b = values[j], sum, product;
            int over = __builtin_add_overflow(a, b, &sum) + 2 * __builtin_mul_overflow(a, b, &product);
            int64_t quotient = b == 0 || (a == INT64_MIN && b == -1) ? 0 : a / b;
            int64_t rest = b == 0 || (a == INT64_MIN && b == -1) ? 0 : a % b;
            uint64_t unsigned_quotient = b ? (uint64_t)a / (uint64_t)b : 0;
            int32_t narrow = (int32_t)((uint32_t)a * (uint32_t)b);
            uint64_t all[] = {(uint64_t)sum, (uint64_t)product, (uint64_t)quotient, (uint64_t)rest, unsigned_quotient,
                              (uint64_t)(int64_t)narrow, (uint64_t)over, (uint64_t)a >> (j * 5), (uint64_t)(a >> (j * 5))};
            for (unsigned k = 0; k < sizeof all / sizeof *all; k++)
                hash = (hash ^ all[k]) * 0x100000001b3;
            if (j == (i * 3) % COUNT)
                printf("%" PRId64 " %" PRId64 ": %" PRId64 " %" PRId64 " %" PRId64 " %d\n", a, b, quotient, rest, product, over);
        }
    printf("%016" PRIx64 "\n", hash);
    uint8_t byte = 250;
    int8_t small = (int8_t)(byte + 10);
    int16_t word = (int16_t)(small * 5000);
    printf("%u %d %d %d\n", byte, small, word, (int)sizeof(intmax_t));
    return 0;
}
