//! The calls of the RISC-V Supervisor Binary Interface, version 2.0, one file per extension.

mod base;
mod debug_console;
mod error;
mod fence;
mod hart_mask;
mod hart_state;
mod interrupt;
mod reset;
mod timer;

pub use error::SbiError;

use super::Platform;
use dcsim_hart::Exception;
use dcsim_hart::isa::Register;

/// A call: `a7`, `a6`, and `a0` to `a5`.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// Which extension.
    pub extension: u64,
    /// Which function of it.
    pub function: u64,
    /// The arguments.
    pub arguments: [u64; 6],
}

/// What a call returns: the value of `a1`, or an error in `a0`.
pub type Reply = Result<u64, SbiError>;

const DEBUG_CONSOLE: u64 = 0x4442_434e;

type Serve = fn(&mut dyn Platform, &Call) -> Reply;

/// The extensions that are there, with their numbers.
const EXTENSIONS: [(u64, Serve); 7] = [
    (0x10, base::serve),
    (0x5449_4d45, timer::serve),
    (0x0073_5049, interrupt::serve),
    (0x5246_4e43, fence::serve),
    (0x0048_534d, hart_state::serve),
    (0x5352_5354, reset::serve),
    (DEBUG_CONSOLE, debug_console::serve),
];

/// Serves a call.
pub fn serve(platform: &mut dyn Platform, call: &Call) -> Reply {
    match EXTENSIONS.iter().find(|(number, _)| *number == call.extension) {
        Some((_, serve)) => serve(platform, call),
        None => Err(SbiError::NotSupported),
    }
}

/// The memory that the trapped call of a hart with these registers may write: its address and
/// length in bytes. Whoever runs the hart makes sure that the page store has room for it.
pub fn written_range(registers: &[u64; 32], cause: u64) -> Option<(u64, usize)> {
    let is_call = cause == Exception::EcallFromSupervisor.code();
    let register = |register: Register| registers[register as usize];
    let call = (register(Register::R17), register(Register::R16));
    if !is_call || call != (DEBUG_CONSOLE, debug_console::READ) {
        return None;
    }
    let length = register(Register::R10).min(debug_console::MAXIMUM_BYTES);
    Some((register(Register::R11), length as usize))
}

/// Whether an extension is there.
fn is_available(extension: u64) -> bool {
    EXTENSIONS.iter().any(|(number, _)| *number == extension)
}
