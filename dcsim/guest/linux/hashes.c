// Takes checksums of a text of <bytes>: CRC-32, FNV-1a and SHA-256.
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }

// The first 32 bits behind the point.
static uint32_t fraction(double number) { return (uint32_t)((number - floor(number)) * 4294967296.0); }

static int prime(int n) {
    int found = 0, candidate = 1;
    while (found <= n) {
        int divisor = 2;
        candidate++;
        while (candidate % divisor)
            divisor++;
        found += divisor == candidate;
    }
    return candidate;
}

static void block(uint32_t *h, const uint32_t *k, const uint8_t *bytes) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)bytes[4 * i] << 24 | bytes[4 * i + 1] << 16 | bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
               (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t a = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t b = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += a;
        s[0] = a + b;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

int main(int argc, char **argv) {
    size_t length = argc > 1 ? strtoul(argv[1], NULL, 10) : 3, room = (length + 72) / 64 * 64;
    uint8_t *text = calloc(room, 1);
    for (size_t i = 0; i < length; i++)
        text[i] = "abc"[i % 3];
    uint32_t crc = ~0u, fnv = 2166136261u, h[8], k[64];
    for (size_t i = 0; i < length; i++) {
        crc ^= text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        fnv = (fnv ^ text[i]) * 16777619u;
    }
    for (int i = 0; i < 64; i++)
        k[i] = fraction(cbrt(prime(i)));
    for (int i = 0; i < 8; i++)
        h[i] = fraction(sqrt(prime(i)));
    text[length] = 0x80;
    for (int i = 0; i < 8; i++)
        text[room - 1 - i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));
    for (size_t at = 0; at < room; at += 64)
        block(h, k, text + at);
    printf("%08" PRIx32 " %08" PRIx32 " ", ~crc, fnv);
    for (int i = 0; i < 8; i++)
        printf("%08" PRIx32, h[i]);
    printf("\n");
    free(text);
    return 0;
}
