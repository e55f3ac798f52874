// Solves a system of <n> linear equations, and checks the answer.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 20;
    double *a = malloc(sizeof *a * n * n), *b = malloc(sizeof *b * n), *x = calloc(n, sizeof *x);
    for (int i = 0; i < n; i++) {
        b[i] = i + 1;
        for (int j = 0; j < n; j++)
            a[i * n + j] = 1.0 / (i + j + 1) + (i == j ? 2 : 0);
    }
    for (int k = 0; k < n; k++)
        for (int i = k + 1; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];
            for (int j = k; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
            b[i] -= factor * b[k];
        }
    for (int i = n - 1; i >= 0; i--) {
        double rest = b[i];
        for (int j = i + 1; j < n; j++)
            rest -= a[i * n + j] * x[j];
        x[i] = rest / a[i * n + i];
    }
    double worst = 0;
    for (int i = 0; i < n; i++) {
        double sum = -(i + 1);
        for (int j = 0; j < n; j++)
            sum += x[j] * (1.0 / (i + j + 1) + (i == j ? 2 : 0));
        worst = fmax(worst, fabs(sum));
    }
    printf("%.12g %.12g %d\n", x[0], x[n - 1], worst < 1e-9);
    free(a), free(b), free(x);
    return worst < 1e-9 ? 0 : 1;
}
