// Prints what is typed on the console, line by line, until a line says end.
#include "guest.h"

#define LINE_BYTES 80

// Reads up to a carriage return or line feed, which is left out.
static void read_line(char *line) {
    size_t length = 0;
    char byte;
    while (console_read(&byte, 1) == 1 && byte != '\r' && byte != '\n') {
        if (length + 1 < LINE_BYTES)
            line[length++] = byte;
    }
    line[length] = 0;
}

int main(void) {
    char line[LINE_BYTES];
    uint64_t lines = 0;
    for (read_line(line); !text_equal(line, "end"); read_line(line)) {
        print("echo %s\n", line);
        lines++;
    }
    print("result echo lines=%lu\n", lines);
    return 0;
}
