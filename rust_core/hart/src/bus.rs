//! What a hart sees of the machine around it: memory, devices and interrupt lines.
//!
//! The hart knows no device. A physical address that no frame has goes to the [`Bus`], which lets
//! the side effects happen at the cycle it is told, and answers how the effects reach back into
//! the hart ([`Signal`]).

use dcsim_memory::Memory;

/// The size of a memory access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Width {
    /// One byte.
    Byte = 1,
    /// Two bytes.
    Half = 2,
    /// Four bytes.
    Word = 4,
    /// Eight bytes.
    Double = 8,
}

impl Width {
    /// The size in bytes.
    #[inline]
    pub const fn bytes(self) -> u64 {
        self as u64
    }

    /// The bits of an address that are zero where an access of this size is naturally aligned.
    #[inline]
    pub const fn alignment_mask(self) -> u64 {
        self as u64 - 1
    }

    /// The value bits that an access of this size carries.
    #[inline]
    pub const fn value_mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self as u32)
    }
}

/// Nothing answers at this physical address, or not to an access of this kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BusError;

/// How a store reaches back into the hart that made it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// Not at all.
    None,
    /// Decoded code may have changed: end the block.
    CodeWritten,
    /// Interrupt lines may have changed: end the block and look for interrupts.
    Interrupts,
    /// Finish this instruction, then return [`crate::Stop::Bus`].
    Stop,
}

impl Signal {
    /// The stronger of two signals; each one includes the duties of those before it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self as u8 >= other as u8 { self } else { other }
    }
}

/// The interrupt inputs of one hart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InterruptLines {
    /// Machine external interrupt, a level.
    pub machine_external: bool,
    /// Supervisor external interrupt, a level.
    pub supervisor_external: bool,
    /// Machine software interrupt, a level.
    pub machine_software: bool,
    /// The `time` value from which the machine timer interrupt is pending; `u64::MAX` for never.
    pub machine_timer_compare: u64,
}

impl Default for InterruptLines {
    /// No line raised, no timer set.
    fn default() -> Self {
        Self {
            machine_external: false,
            supervisor_external: false,
            machine_software: false,
            machine_timer_compare: u64::MAX,
        }
    }
}

/// The devices of a machine, as a hart reaches them.
pub trait Bus {
    /// Reads `width` bytes at a physical address that is no memory. Without devices, nothing is there.
    fn load(
        &mut self,
        _memory: &mut Memory<'_>,
        _address: u64,
        _width: Width,
        _now_cycles: u64,
    ) -> Result<u64, BusError> {
        Err(BusError)
    }

    /// Writes the low `width` bytes of `value` to a physical address that is no memory.
    fn store(
        &mut self,
        _memory: &mut Memory<'_>,
        _address: u64,
        _width: Width,
        _value: u64,
        _now_cycles: u64,
    ) -> Result<Signal, BusError> {
        Err(BusError)
    }

    /// The interrupt inputs of `hart` now. The hart reads them when a run begins, after each of
    /// its own accesses to a device, and at no other time.
    fn interrupt_lines(&self, _hart: usize) -> InterruptLines {
        InterruptLines::default()
    }
}

/// A machine without devices.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDevices;

impl Bus for NoDevices {}

/// What a hart needs of its machine while it runs.
pub struct Ports<'a> {
    /// Physical memory.
    pub memory: Memory<'a>,
    /// Devices.
    pub bus: &'a mut dyn Bus,
}

impl std::fmt::Debug for Ports<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ports").field("memory", &self.memory).finish_non_exhaustive()
    }
}
