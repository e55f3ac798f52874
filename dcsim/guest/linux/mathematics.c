// Evaluates functions of the mathematical library.
#include <math.h>
#include <stdio.h>

int main(void) {
    double sum = 0;
    for (int i = 1; i <= 2000; i++) {
        double x = i * 0.01;
        sum += sin(x) * cos(x / 3) + sqrt(x) - log(x) / exp(x / 10) + atan2(x, 2) + pow(x, 0.7) + fmod(x, 0.3);
    }
    printf("%.17g\n", sum);
    printf("%.9g %.9g %.9g\n", tgamma(4.5), erf(0.3), cbrt(27.1));
    printf("%g %g %d %d\n", floor(-2.5), rint(2.5), isnan(sqrt(-1.0)) != 0, isinf(1 / 0.0) != 0);
    float single = 0;
    for (int i = 1; i < 100; i++)
        single += 1.0f / (float)i;
    printf("%.9g %.9g\n", single, fma(1e16, 1.0000001, -1e16));
    return 0;
}
