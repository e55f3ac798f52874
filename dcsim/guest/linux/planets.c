// Moves three bodies around each other for <steps>, and tells how well energy is kept.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double place[3][2] = {{0, 0}, {1, 0}, {0, 2}}, speed[3][2] = {{0, 0}, {0, 1}, {-0.7, 0}};
static const double mass[3] = {1, 0.01, 0.005};

static double distance(int i, int j) {
    return hypot(place[i][0] - place[j][0], place[i][1] - place[j][1]);
}

static double energy(void) {
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        sum += mass[i] * (speed[i][0] * speed[i][0] + speed[i][1] * speed[i][1]) / 2;
        for (int j = 0; j < i; j++)
            sum -= mass[i] * mass[j] / distance(i, j);
    }
    return sum;
}

int main(int argc, char **argv) {
    int steps = argc > 1 ? atoi(argv[1]) : 1000;
    double before = energy(), dt = 0.001;
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                for (int axis = 0; i != j && axis < 2; axis++)
                    speed[i][axis] -= dt * mass[j] * (place[i][axis] - place[j][axis]) / pow(distance(i, j), 3);
        for (int i = 0; i < 3; i++)
            for (int axis = 0; axis < 2; axis++)
                place[i][axis] += dt * speed[i][axis];
    }
    printf("%.9f %.9f %d\n", before, place[1][0], fabs(energy() - before) < 1e-3);
    return 0;
}
