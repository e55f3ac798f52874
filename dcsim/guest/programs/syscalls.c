// Makes the cheapest system call n= times: the price of going into the kernel and back.
#include "guest.h"

int main(int argc, char **argv) {
    uint64_t calls = argument(argc, argv, "n", 10000);
    uint64_t right = 0;
    int id = process_id();
    for (uint64_t i = 0; i < calls; i++)
        right += process_id() == id;
    print("result syscalls n=%lu right=%lu\n", calls, right);
    return right != calls;
}
