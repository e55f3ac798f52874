// Runs other programs. run=name:key=value:...,name:... parallel=0|1
//
// They run one after the other, or all at once with parallel=1. Without run= it runs a little of
// everything; its exit status is how many programs failed.
#include "guest.h"

#define PROGRAMS 16
#define WORDS 8
#define TEXT_BYTES 512

static const char *const everything =
    "integer:iterations=20,float:steps=200,chase:steps=20000,syscalls:n=1000,faults:n=4,"
    "forkwait:n=4,server:fixed=1+20";
static const char *const everything_with_disk =
    "integer:iterations=20,float:steps=200,chase:steps=20000,syscalls:n=1000,faults:n=4,"
    "forkwait:n=4,server:fixed=1+20:disk=512:at=1024,files:files=4";

static char text[TEXT_BYTES];

// Cuts the text at the next of two separators; returns what follows, or NULL at the end.
static char *cut(char *at, char separator) {
    while (*at && *at != separator)
        at++;
    if (*at == 0)
        return NULL;
    *at = 0;
    return at + 1;
}

// Starts the program of one name:key=value:key=value entry; its process id.
static int start(char *entry) {
    char *words[WORDS + 1] = {0};
    for (int count = 0; entry && count < WORDS; count++) {
        words[count] = entry;
        entry = cut(entry, ':');
    }
    int id = spawn(words[0], words);
    if (id < 0)
        print("suite: cannot start %s: %d\n", words[0], id);
    return id;
}

static bool finished_well(int id) {
    return id >= 0 && wait(id) == 0;
}

int main(int argc, char **argv) {
    bool parallel = argument(argc, argv, "parallel", 0);
    int ids[PROGRAMS], count = 0, failed = 0;
    const char *all = disk_sectors() ? everything_with_disk : everything;
    text_copy(text, argument_text(argc, argv, "run", all), sizeof text);
    for (char *entry = text, *next; entry && count < PROGRAMS; entry = next) {
        next = cut(entry, ',');
        int id = start(entry);
        if (parallel)
            ids[count++] = id;
        else
            failed += !finished_well(id);
    }
    for (int i = 0; i < count; i++)
        failed += !finished_well(ids[i]);
    print("result suite failed=%d\n", failed);
    return failed;
}
