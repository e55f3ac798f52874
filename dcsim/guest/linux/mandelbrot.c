// Draws the Mandelbrot set with letters.
#include <stdio.h>

int main(void) {
    for (int row = 0; row < 24; row++) {
        for (int column = 0; column < 64; column++) {
            double a = -2.1 + column * 0.045, b = -1.2 + row * 0.1, x = 0, y = 0;
            int steps = 0;
            while (x * x + y * y < 4 && steps < 90) {
                double next = x * x - y * y + a;
                y = 2 * x * y + b;
                x = next;
                steps++;
            }
            putchar(steps == 90 ? '#' : " .,:;+*oxOX"[steps % 11]);
        }
        putchar('\n');
    }
    return 0;
}
