#include "emulate.h"

#include "csr.h"
#include "exit.h"
#include "riscv.h"
#include "shadow.h"
#include "vcpu.h"
#include "world.h"

#define OPCODE_SYSTEM 0x73u
#define SRET 0x10200073u
#define WFI 0x10500073u
#define SFENCE 0x12000073u
#define SFENCE_MASK 0xfe007fffu
#define INSTRUCTION_BYTES 4

enum { WRITE = 1, SET, CLEAR };

static unsigned field(uint64_t instruction, unsigned lowest, unsigned bits) {
    return instruction >> lowest & ((1u << bits) - 1);
}

static uint64_t changed(unsigned operation, uint64_t old, uint64_t operand) {
    if (operation == WRITE)
        return operand;
    return operation == SET ? old | operand : old & ~operand;
}

// The six CSR instructions: bit 14 says that the field of the source register is the operand itself.
static bool access_csr(uint64_t instruction) {
    unsigned number = field(instruction, 20, 12), operation = field(instruction, 12, 2);
    unsigned source = field(instruction, 15, 5), destination = field(instruction, 7, 5);
    bool writes = operation == WRITE || source, read_only = number >> 10 == 3;
    uint64_t operand = field(instruction, 14, 1) ? source : WORLD.x[source], old;
    if (!csr_read(number, &old) || (writes && read_only))
        return false;
    if (writes && !csr_write(number, changed(operation, old, operand)))
        return false;
    if (destination)
        WORLD.x[destination] = old;
    count_exit(EXIT_CSR);
    vcpu.pc += INSTRUCTION_BYTES;
    return true;
}

static void fence(uint64_t instruction) {
    unsigned address = field(instruction, 15, 5), asid = field(instruction, 20, 5);
    uint64_t space = asid ? WORLD.x[asid] & 0xffff : EVERY_ASID;
    if (address)
        shadow_forget_page(WORLD.x[address], space);
    else if (asid)
        shadow_forget_space(space);
    else
        shadow_forget_all();
    count_exit(EXIT_FENCE);
    vcpu.pc += INSTRUCTION_BYTES;
}

static bool execute(uint64_t instruction) {
    if ((instruction & 0x7f) != OPCODE_SYSTEM)
        return false;
    if (field(instruction, 12, 2))
        return access_csr(instruction);
    if (!vcpu.supervisor)
        return false;
    if (instruction == SRET) {
        count_exit(EXIT_RETURN);
        vcpu_return();
    } else if (instruction == WFI) {
        count_exit(EXIT_WAIT);
        vcpu.pc += INSTRUCTION_BYTES;
        vcpu_wait();
    } else if ((instruction & SFENCE_MASK) == SFENCE) {
        fence(instruction);
    } else {
        return false;
    }
    return true;
}

void emulate(uint64_t instruction) {
    if (execute(instruction))
        return;
    count_exit(EXIT_REFLECTED);
    vcpu_trap(CAUSE_ILLEGAL_INSTRUCTION, instruction);
}
