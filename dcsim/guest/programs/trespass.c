// Does what programs must not do, in children, and checks that each is caught in the right way.
//
// It takes no arguments. A machine or a hypervisor that lets one of these through gives a wrong
// count, and names the offence.
#include "guest.h"

#define KILLED_BY(cause) (128 + (cause))
#define ILLEGAL_INSTRUCTION KILLED_BY(2)
#define BREAKPOINT KILLED_BY(3)
#define FETCH_FAULT KILLED_BY(12)
#define LOAD_FAULT KILLED_BY(13)
#define STORE_FAULT KILLED_BY(15)

#define KERNEL ((volatile uint64_t *)0xffffffc080200000)
#define UNMAPPED ((volatile uint64_t *)0x2000000000)
#define BELOW_THE_STACK ((volatile uint64_t *)(0x3ffffff000 - 0x100000 - 8))

static const uint64_t constant = 1;
static uint64_t variable = 0x00008067;  // `ret`, if it could be executed

static void read_null(void) {
    __asm__ volatile("ld t0, 0(zero)");
}
static void read_unmapped(void) {
    (void)*UNMAPPED;
}
static void read_kernel(void) {
    (void)*KERNEL;
}
static void write_kernel(void) {
    *KERNEL = 0;
}
static void write_constant(void) {
    *(volatile uint64_t *)&constant = 2;
}
static void write_code(void) {
    *(volatile uint64_t *)(uintptr_t)read_null = 0;
}
static void write_below_the_stack(void) {
    *BELOW_THE_STACK = 0;
}
static void execute_data(void) {
    ((void (*)(void))&variable)();
}
static void execute_kernel(void) {
    ((void (*)(void))KERNEL)();
}
static void read_status_register(void) {
    __asm__ volatile("csrr t0, sstatus");
}
static void write_translation_register(void) {
    __asm__ volatile("csrw satp, zero");
}
// `rdtime` is not among the offences: some firmware emulates it for every mode.
static void read_cycles(void) {
    __asm__ volatile("rdcycle t0");
}
static void return_from_trap(void) {
    __asm__ volatile("sret");
}
static void fence_translations(void) {
    __asm__ volatile("sfence.vma");
}
static void undefined_instruction(void) {
    __asm__ volatile(".4byte 0");
}
static void breakpoint(void) {
    __asm__ volatile("ebreak");
}

static const struct offence {
    const char *name;
    void (*commit)(void);
    int status;
} offences[] = {
    {"read-null", read_null, LOAD_FAULT},
    {"read-unmapped", read_unmapped, LOAD_FAULT},
    {"read-kernel", read_kernel, LOAD_FAULT},
    {"write-kernel", write_kernel, STORE_FAULT},
    {"write-constant", write_constant, STORE_FAULT},
    {"write-code", write_code, STORE_FAULT},
    {"write-below-the-stack", write_below_the_stack, STORE_FAULT},
    {"execute-data", execute_data, FETCH_FAULT},
    {"execute-kernel", execute_kernel, FETCH_FAULT},
    {"read-status-register", read_status_register, ILLEGAL_INSTRUCTION},
    {"write-translation-register", write_translation_register, ILLEGAL_INSTRUCTION},
    {"read-cycles", read_cycles, ILLEGAL_INSTRUCTION},
    {"return-from-trap", return_from_trap, ILLEGAL_INSTRUCTION},
    {"fence-translations", fence_translations, ILLEGAL_INSTRUCTION},
    {"undefined-instruction", undefined_instruction, ILLEGAL_INSTRUCTION},
    {"breakpoint", breakpoint, BREAKPOINT},
};

#define OFFENCES (int)(sizeof offences / sizeof *offences)

static bool is_caught(const struct offence *offence) {
    int child = fork();
    if (child == 0) {
        offence->commit();
        finish(0);
    }
    int status = wait(child);
    if (status != offence->status)
        print("trespass: %s ended with %d, not %d\n", offence->name, status, offence->status);
    return status == offence->status;
}

// System calls with arguments that no kernel may trust: all must fail, and nothing else happen.
static int refused_calls(void) {
    const void *kernel = (const void *)KERNEL;
    char *nowhere[] = {"integer", (char *)kernel, NULL};
    return (console_write(kernel, 8) == ERROR_ARGUMENT) +
           (console_write((const void *)UNMAPPED, 8) == ERROR_ARGUMENT) +
           (packet_address((uint8_t *)kernel) < 0) + (exec(kernel, nowhere) == ERROR_ARGUMENT) +
           (exec("integer", nowhere) == ERROR_ARGUMENT) +
           (spawn("nothing", nowhere) == ERROR_NO_ENTRY) + (wait(99) == ERROR_NO_ENTRY) +
           (unmap(&variable) == ERROR_ARGUMENT) + (map(1ul << 40) == NULL) +
           (grow(1ul << 60) == NULL) + (map_large(1ul << 40) == NULL) +
           (nano_loop(NANO_LOOPS, 1, NULL) == ERROR_ARGUMENT) +
           (nano_loop(NANO_PAGE_TABLE, 1, kernel) == ERROR_ARGUMENT);
}

int main(void) {
    int caught = 0;
    for (int i = 0; i < OFFENCES; i++)
        caught += is_caught(&offences[i]);
    print("result trespass offences=%d caught=%d refused=%d\n", OFFENCES, caught, refused_calls());
    return caught != OFFENCES;
}
