// Writes floating-point numbers in many forms, and reads them again.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const double values[] = {0.0, -0.0, 1.0 / 3, 2.5, 1e23, 123456789.125, DBL_MIN, DBL_MAX, 5e-324, INFINITY, -INFINITY, NAN};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        double value = values[i];
        printf("%f|%e|%g|%a\n", fabs(value) < 1e30 ? value : 1.0, value, value, value);
        printf("%.0f|%.17g|%+.3e|%12.4f|%-12.2g|%#g\n", fabs(value) < 1e30 ? value : 2.0, value, value,
               fabs(value) < 1e30 ? value : 3.0, value, value);
    }
    const char *texts[] = {"1e-400", "1e400", "0x1.8p3", "-inf", "nan", "3.14159265358979323846", ".5e", "x"};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *end;
        double value = strtod(texts[i], &end);
        printf("%s -> %.17g, %s\n", texts[i], value, *end ? end : "all");
    }
    for (int digits = 0; digits < 18; digits++)
        printf("%.*f\n", digits, M_PI);
    printf("%.0f %.0f %.0f %.0f\n", 0.5, 1.5, 2.5, 3.5);
    return 0;
}
