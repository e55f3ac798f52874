#include "calls.h"

#include "exit.h"
#include "firmware.h"
#include "guest_memory.h"
#include "vcpu.h"
#include "world.h"

#define NOT_SUPPORTED (-2)
#define INVALID_PARAMETER (-3)

// The first and the last function of the base extension.
#define BASE_VERSION 0
#define BASE_LAST 6

#define VERSION_2_0 (2ul << 24)
#define ECALL_BYTES 4

// Registers with a part in a call.
enum { A0 = 10, A1 = 11, A6 = 16, A7 = 17 };

static const struct sbi_result done = {0, 0}, unknown = {NOT_SUPPORTED, 0};

static bool is_offered(uint64_t extension) {
    return extension == SBI_BASE || extension == SBI_TIME || extension == SBI_RESET ||
           extension == SBI_CONSOLE;
}

// The version, the rest of the numbers, of which zero is as good as any, and what there is.
static struct sbi_result serve_base(uint64_t function, uint64_t argument) {
    if (function > BASE_LAST)
        return unknown;
    if (function == SBI_BASE_PROBE)
        return (struct sbi_result){0, is_offered(argument)};
    return (struct sbi_result){0, function == BASE_VERSION ? VERSION_2_0 : 0};
}

static struct sbi_result serve_console(uint64_t function, uint64_t bytes, uint64_t address) {
    if (function != SBI_CONSOLE_WRITE)
        return unknown;
    if (!guest_has_memory(address, bytes))
        return (struct sbi_result){INVALID_PARAMETER, 0};
    return sbi_call(SBI_CONSOLE, function, bytes, (uint64_t)guest_pointer(address), 0);
}

// The guest's end is ours.
static _Noreturn void reset(uint64_t type, uint64_t reason) {
    report_exits();
    firmware_reset(type, reason);
}

static struct sbi_result serve(uint64_t extension, uint64_t function, uint64_t first,
                               uint64_t second) {
    if (extension == SBI_BASE)
        return serve_base(function, first);
    if (extension == SBI_CONSOLE)
        return serve_console(function, first, second);
    if (extension == SBI_RESET && function == SBI_RESET_SYSTEM)
        reset(first, second);
    if (extension != SBI_TIME || function != SBI_TIME_SET)
        return unknown;
    vcpu_set_timer(first);
    return done;
}

void calls_serve(void) {
    uint64_t *x = WORLD.x;
    struct sbi_result answer = serve(x[A7], x[A6], x[A0], x[A1]);
    x[A0] = (uint64_t)answer.error;
    x[A1] = answer.value;
    vcpu.pc += ECALL_BYTES;
}
