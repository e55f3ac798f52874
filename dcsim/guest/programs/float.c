// Moves bodies that attract each other (double) and follows a chaotic series (single). steps=
//
// Only operations that IEEE 754 rounds exactly are used (+ - * / and square root, never fused), so
// the bits of the result are the same on every correct machine, and any other language can check
// them.
#include "guest.h"

#define BODIES 4
#define TIME_STEP 0.0078125  // 2^-7

struct body {
    double position[3], velocity[3], mass;
};

static struct body bodies[BODIES] = {
    {{0, 0, 0}, {0, 0, 0}, 40},
    {{5, 0, 0.5}, {0, 2.75, 0}, 0.25},
    {{0, -9, 0}, {2, 0, 0.25}, 0.5},
    {{-14, 1, 1}, {0.125, -1.5, 0}, 0.125},
};

static double square_root(double value) {
    __asm__("fsqrt.d %0, %0" : "+f"(value));
    return value;
}

// Both bodies of a pair change velocity, each by the other's mass over the distance cubed.
static void attract(struct body *one, struct body *other) {
    double delta[3], squared = 0;
    for (int axis = 0; axis < 3; axis++) {
        delta[axis] = one->position[axis] - other->position[axis];
        squared = squared + delta[axis] * delta[axis];
    }
    double factor = TIME_STEP / (squared * square_root(squared));
    for (int axis = 0; axis < 3; axis++) {
        one->velocity[axis] = one->velocity[axis] - delta[axis] * other->mass * factor;
        other->velocity[axis] = other->velocity[axis] + delta[axis] * one->mass * factor;
    }
}

static void step(void) {
    for (int i = 0; i < BODIES; i++) {
        for (int j = i + 1; j < BODIES; j++)
            attract(&bodies[i], &bodies[j]);
    }
    for (int i = 0; i < BODIES; i++) {
        for (int axis = 0; axis < 3; axis++)
            bodies[i].position[axis] =
                bodies[i].position[axis] + TIME_STEP * bodies[i].velocity[axis];
    }
}

// The logistic map x -> 3.75 x (1 - x): errors of one bit grow until they are everything.
static float logistic(uint64_t steps) {
    float x = 0.5f;
    for (uint64_t i = 0; i < steps; i++)
        x = 3.75f * x * (1.0f - x);
    return x;
}

static uint64_t hash_double(uint64_t hash, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return hash_word(hash, bits);
}

int main(int argc, char **argv) {
    uint64_t steps = argument(argc, argv, "steps", 1000);
    uint64_t hash = HASH_START;
    for (uint64_t i = 0; i < steps; i++)
        step();
    for (int i = 0; i < BODIES; i++) {
        for (int axis = 0; axis < 3; axis++)
            hash = hash_double(hash, bodies[i].position[axis]);
    }
    hash = hash_double(hash, logistic(steps));
    print("result float steps=%lu hash=%016lx\n", steps, hash);
    return 0;
}
