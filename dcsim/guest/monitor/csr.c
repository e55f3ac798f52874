#include "csr.h"

#include "riscv.h"
#include "vcpu.h"

enum {
    SSTATUS = 0x100,
    SIE = 0x104,
    STVEC = 0x105,
    SCOUNTEREN = 0x106,
    SENVCFG = 0x10a,
    SSCRATCH = 0x140,
    SEPC = 0x141,
    SCAUSE = 0x142,
    STVAL = 0x143,
    SIP = 0x144,
    STIMECMP = 0x14d,
    SATP = 0x180,
    CYCLE = 0xc00,
    TIME = 0xc01,
    INSTRET = 0xc02,
};

#define STATUS_OWN                                                                    \
    (STATUS_INTERRUPTS | STATUS_USER_INTERRUPTS | STATUS_FROM_SUPERVISOR |            \
     STATUS_USER_MEMORY | STATUS_EXECUTE_READS)
#define STATUS_MACHINES (STATUS_FLOAT_MASK | 3ul << 32 | 1ul << 63)  // FS, UXL, SD
#define INTERRUPTS (INTERRUPT_SOFTWARE | INTERRUPT_TIMER | INTERRUPT_EXTERNAL)
#define COUNTERS 7ul  // cycle, time, instret

// The register's place, for those that are plain words.
static uint64_t *plain(unsigned number) {
    switch (number) {
    case SIE: return &vcpu.enabled;
    case STVEC: return &vcpu.vector;
    case SCOUNTEREN: return &vcpu.counters;
    case SENVCFG: return &vcpu.environment;
    case SSCRATCH: return &vcpu.scratch;
    case SEPC: return &vcpu.exception_pc;
    case SCAUSE: return &vcpu.cause;
    case STVAL: return &vcpu.value;
    case SIP: return &vcpu.pending;
    case STIMECMP: return &vcpu.timer;
    case SATP: return &vcpu.translation;
    default: return 0;
    }
}

static bool counter_read(unsigned number, uint64_t *value) {
    if (!vcpu.supervisor && !(vcpu.counters >> (number - CYCLE) & 1))
        return false;
    *value = number == TIME ? CSR_READ(time) : number == CYCLE ? CSR_READ(cycle) : CSR_READ(instret);
    return true;
}

bool csr_read(unsigned number, uint64_t *value) {
    if (number >= CYCLE && number <= INSTRET)
        return counter_read(number, value);
    if (!vcpu.supervisor)
        return false;
    if (number == SSTATUS) {
        *value = vcpu.status | (CSR_READ(sstatus) & STATUS_MACHINES);
        return true;
    }
    uint64_t *place = plain(number);
    if (place)
        *value = *place;
    return place;
}

static void status_write(uint64_t value) {
    vcpu.status = value & STATUS_OWN;
    CSR_CLEAR(sstatus, STATUS_FLOAT_MASK & ~value);
    CSR_SET(sstatus, STATUS_FLOAT_MASK & value);
}

// A value with a mode that there is not leaves the register as it is.
static void translation_write(uint64_t value) {
    if (value >> 60 == 0)
        vcpu.translation = 0;
    else if (value >> 60 == SATP_SV39 >> 60)
        vcpu.translation = value;
}

// Registers that do not keep every value.
static uint64_t legal(unsigned number, uint64_t value) {
    switch (number) {
    case SIE: return value & INTERRUPTS;
    case STVEC: return value & ~2ul;
    case SCOUNTEREN: return value & COUNTERS;
    case SENVCFG: return value & 1;
    case SEPC: return value & ~1ul;
    case SIP: return (vcpu.pending & ~INTERRUPT_SOFTWARE) | (value & INTERRUPT_SOFTWARE);
    default: return value;
    }
}

bool csr_write(unsigned number, uint64_t value) {
    if (!vcpu.supervisor)
        return false;
    if (number == SSTATUS)
        status_write(value);
    else if (number == SATP)
        translation_write(value);
    else if (number == STIMECMP)
        vcpu_set_timer(value);
    else if (plain(number))
        *plain(number) = legal(number, value);
    else
        return false;
    return true;
}
