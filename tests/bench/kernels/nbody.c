// Five bodies under gravity in double precision, with a division and a square root a pair.

#include "harness.h"

enum { BODIES = 5 };

typedef struct {
    double x, y, z, vx, vy, vz, mass;
} body;

static body bodies[BODIES];

static double root_of(double value) {
    double result;
    asm("fsqrt.d %0, %1" : "=f"(result) : "f"(value));
    return result;
}

static void attract(body *a, body *b, double step) {
    double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
    double square = dx * dx + dy * dy + dz * dz + 0.01;
    double pull = step / (square * root_of(square));
    a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
    b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
}

static void advance(double step) {
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++) attract(&bodies[i], &bodies[j], step);
    for (int i = 0; i < BODIES; i++) {
        body *b = &bodies[i];
        b->x += step * b->vx, b->y += step * b->vy, b->z += step * b->vz;
    }
}

u64 kernel(u64 repeat) {
    u64 hash = 0;
    for (int i = 0; i < BODIES; i++)
        bodies[i] = (body){i * 1.5, i * i * 0.7 - 1, 0.3 * i, 0.01 * i, 0.2 - 0.1 * i, 0, 1.0 + i};
    for (u64 i = 0; i < repeat * 4096; i++) advance(0.001);
    for (int i = 0; i < BODIES; i++) {
        union { double value; u64 bits; } x = {bodies[i].x};
        hash = hash * 31 + x.bits;
    }
    return hash;
}
