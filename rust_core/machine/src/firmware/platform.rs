//! What the SBI calls need of the machine below them.

use crate::devices::finisher::PowerEvent;

/// The state of a hart as the HSM extension numbers them.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum HartState {
    /// It executes.
    Started = 0,
    /// It belongs to the firmware.
    Stopped = 1,
    /// It was asked to start and has not begun yet.
    StartPending = 2,
    /// It waits for an interrupt, having asked for it.
    Suspended = 4,
}

/// Where a hart begins or resumes in supervisor mode, with translation and interrupts off.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct StartPoint {
    /// The physical address of the first instruction.
    pub address: u64,
    /// The value of `a1`; `a0` is the number of the hart.
    pub opaque: u64,
}

/// A fence that another hart is asked to execute.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Fence {
    /// FENCE.I.
    Instructions,
    /// SFENCE.VMA for a whole address space, or for all.
    Everything {
        /// The address space; all if none is given.
        asid: Option<u16>,
    },
    /// SFENCE.VMA for the pages of a range.
    Range {
        /// The first address.
        start: u64,
        /// The length in bytes, not 0.
        bytes: u64,
        /// The address space; all if none is given.
        asid: Option<u16>,
    },
}

/// A machine as the SBI calls see it: real harts under firmware, or virtual ones under a monitor.
/// Every method charges what it costs.
pub trait Platform {
    /// The number of harts; they are numbered from 0.
    fn hart_count(&self) -> usize;

    /// The hart that called.
    fn hart_id(&self) -> usize;

    /// Sets the caller's supervisor timer.
    fn set_timer(&mut self, time: u64);

    /// Raises the supervisor software interrupt of a hart that has started.
    fn send_interrupt(&mut self, hart: usize);

    /// Makes a hart that has started execute a fence before the call returns.
    fn fence(&mut self, hart: usize, fence: Fence);

    /// The state of a hart.
    fn hart_state(&mut self, hart: usize) -> HartState;

    /// Starts a hart that is stopped.
    fn start_hart(&mut self, hart: usize, start: StartPoint);

    /// Stops the caller; the call does not return.
    fn stop_hart(&mut self);

    /// Lets the caller wait for an interrupt. Without a resume point the call returns then; with
    /// one it does not return, and the hart begins there.
    fn suspend_hart(&mut self, resume: Option<StartPoint>);

    /// Whether there is memory at `bytes` bytes from a physical address.
    fn is_memory(&mut self, address: u64, bytes: u64) -> bool;

    /// Reads memory at a physical address. `false` if the host cannot provide it now.
    fn read_memory(&mut self, address: u64, buffer: &mut [u8]) -> bool;

    /// Writes memory at a physical address. `false` if the host cannot provide it now.
    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> bool;

    /// Writes to the debug console.
    fn write_console(&mut self, bytes: &[u8]);

    /// Reads a byte from the debug console, if one was typed.
    fn read_console(&mut self) -> Option<u8>;

    /// Switches the machine off or restarts it.
    fn change_power(&mut self, event: PowerEvent);
}
