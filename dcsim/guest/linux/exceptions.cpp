// Throws through many frames, catches by type, and cleans up on the way.
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

namespace {
int alive = 0;

struct Guard {
    Guard() { alive++; }
    ~Guard() { alive--; }
};

struct Mistake : std::runtime_error {
    int code;
    Mistake(const std::string &text, int number) : std::runtime_error(text), code(number) {}
};

int sink(int depth) {
    Guard guard;
    auto held = std::make_unique<Guard>();
    if (depth == 0)
        throw Mistake("at the bottom", 42);
    return sink(depth - 1) + 1;
}

void translate() {
    try {
        sink(20);
    } catch (const Mistake &mistake) {
        std::printf("%s %d %d\n", mistake.what(), mistake.code, alive);
        std::throw_with_nested(std::logic_error("translated"));
    }
}
} // namespace

int main(int argc, char **argv) {
    try {
        translate();
    } catch (const std::exception &outer) {
        try {
            std::rethrow_if_nested(outer);
        } catch (const std::exception &inner) {
            std::printf("%s: %s\n", outer.what(), inner.what());
        }
    }
    try {
        std::string("short").at(10);
    } catch (const std::out_of_range &) {
        std::printf("out of range\n");
    }
    try {
        throw 7;
    } catch (long) {
        std::printf("long?\n");
    } catch (int number) {
        std::printf("int %d\n", number);
    }
    int caught = 0;
    for (int i = 0; i < 100; i++) {
        try {
            if (i % 3 == 0)
                throw i;
        } catch (...) {
            caught++;
        }
    }
    std::exception_ptr kept;
    try {
        throw std::bad_alloc();
    } catch (...) {
        kept = std::current_exception();
    }
    try {
        std::rethrow_exception(kept);
    } catch (const std::bad_alloc &) {
        caught++;
    }
    std::printf("%d %d\n", caught, alive);
    return alive;
}
