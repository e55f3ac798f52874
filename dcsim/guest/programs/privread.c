// Reads registers that only the kernel may read, and tells of each whether that trapped.
//
// On a machine that fits virtualisation each read traps. On one that lets programs look, they see
// whose machine it is: the kernel's values, or those of a monitor below it.
#include "guest.h"

#define READ(name)                                             \
    static uint64_t read_##name(void) {                        \
        uint64_t value = 0;                                    \
        __asm__ volatile("csrr %0, " #name : "+r"(value));     \
        return value;                                          \
    }

READ(sstatus)
READ(satp)
READ(stvec)

static const struct secret {
    const char *name;
    uint64_t (*read)(void);
} secrets[] = {{"sstatus", read_sstatus}, {"satp", read_satp}, {"stvec", read_stvec}};

#define SECRETS (int)(sizeof secrets / sizeof *secrets)

// True when the read trapped.
static bool tell(const struct secret *secret) {
    skip_illegal();
    uint64_t value = secret->read();
    bool trapped = skip_illegal() > 0;
    if (trapped)
        print("privread %s trapped\n", secret->name);
    else
        print("privread %s %s %lx\n", secret->name, value ? "nonzero" : "zero", value);
    return trapped;
}

int main(void) {
    int trapped = 0;
    for (int i = 0; i < SECRETS; i++)
        trapped += tell(&secrets[i]);
    print("result privread reads=%d trapped=%d\n", SECRETS, trapped);
    return 0;
}
