//! What depends on the instruction set: registers, numbers of calls, layouts in memory.

pub mod frame;
pub mod layout;
pub mod numbers;

/// The registers of a thread.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Registers {
    /// Integer registers.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// The floating-point control and status register.
    pub fcsr: u32,
    /// Where it goes on; while it is in a call, the address of the call's instruction.
    pub pc: u64,
}

/// Numbers of integer registers, by their names in the calling convention.
pub mod register {
    /// The return address.
    pub const RA: usize = 1;
    /// The stack pointer.
    pub const SP: usize = 2;
    /// The thread pointer.
    pub const TP: usize = 4;
    /// The first argument, and the result.
    pub const A0: usize = 10;
    /// The second argument.
    pub const A1: usize = 11;
    /// The third argument.
    pub const A2: usize = 12;
    /// The number of a call.
    pub const A7: usize = 17;
}

/// Bytes of the instruction that makes a call.
const CALL_BYTES: u64 = 4;

/// The arguments of a call.
pub type Arguments = [u64; 6];

impl Registers {
    /// The number of the call that is made, and its arguments (syscall(2), "riscv").
    pub fn call(&self) -> (u64, Arguments) {
        let mut arguments = [0; 6];
        arguments.copy_from_slice(&self.x[register::A0..register::A0 + 6]);
        (self.x[register::A7], arguments)
    }

    /// Ends the call with a result.
    pub fn finish_call(&mut self, result: u64) {
        self.x[register::A0] = result;
        self.pc = self.pc.wrapping_add(CALL_BYTES);
    }
}
