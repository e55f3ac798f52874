// Computes with numbers of single precision.
#include <math.h>
#include <stdio.h>

int main(void) {
    float sum = 0, product = 1;
    for (int i = 1; i <= 1000; i++)
        sum += 1.0f / (float)i;
    for (int i = 1; i <= 30; i++)
        product *= (float)i * 0.5f;
    printf("%.9g %.9g\n", (double)sum, (double)product);
    float x = 2;
    for (int i = 0; i < 6; i++) {
        x = (x + 2 / x) / 2;
        printf("%.9g ", (double)x);
    }
    printf("%.9g %d\n", (double)sqrtf(2), x == sqrtf(2));
    printf("%d %u %lld\n", (int)-2.75f, (unsigned)3.99f, (long long)1e15f);
    printf("%.9g %.9g %.9g\n", (double)fminf(1, NAN), (double)fmaf(3, 4, 5), (double)copysignf(3, -0.0f));
    printf("%d %d %d\n", isnan(0.0f / (x - x)) != 0, isinf(1.0f / (x - x)) != 0, 0.1f + 0.2f == 0.3f);
    return 0;
}
