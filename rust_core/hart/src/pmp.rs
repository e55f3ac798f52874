//! Physical memory protection: 16 entries, granularity of four bytes.
//!
//! Privileged architecture, "Physical Memory Protection". The lowest-numbered entry that matches
//! any byte of an access decides it, and must match all of its bytes. Without a match, machine
//! mode may do everything and lower modes nothing.
//!
//! Invariant: `regions` is what `configuration` and `address` mean, in order of priority, without
//! the entries that are off or empty.

use crate::hart::Privilege;
use crate::mmu::Access;

/// Entries.
pub const ENTRIES: usize = 16;

const READ: u8 = 1 << 0;
const WRITE: u8 = 1 << 1;
const EXECUTE: u8 = 1 << 2;
const MODE: u8 = 3 << 3;
const TOP_OF_RANGE: u8 = 1 << 3;
const NATURAL_FOUR: u8 = 2 << 3;
const NATURAL_POWER: u8 = 3 << 3;
const LOCKED: u8 = 1 << 7;

/// Bits of an address register: those of a 56-bit physical address above the lowest two.
const ADDRESS_MASK: u64 = (1 << 54) - 1;

/// A range of addresses with its rights.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Region {
    first: u64,
    last: u64,
    configuration: u8,
}

/// The protection entries of a hart.
#[derive(Clone, Debug, Default)]
pub struct Pmp {
    configuration: [u8; ENTRIES],
    address: [u64; ENTRIES],
    regions: Vec<Region>,
}

impl Pmp {
    /// The value of `pmpaddr<entry>`.
    pub fn address(&self, entry: usize) -> u64 {
        self.address.get(entry).copied().unwrap_or(0)
    }

    /// Writes `pmpaddr<entry>`, unless a lock forbids it.
    pub fn set_address(&mut self, entry: usize, value: u64) {
        if entry < ENTRIES && !self.is_address_locked(entry) {
            self.address[entry] = value & ADDRESS_MASK;
            self.update_regions();
        }
    }

    /// The eight configuration bytes from `first_entry` on, as `pmpcfg0` and `pmpcfg2` show them.
    pub fn configuration(&self, first_entry: usize) -> u64 {
        (0..8).fold(0, |word, byte| {
            let entry = self.configuration.get(first_entry + byte).copied().unwrap_or(0);
            word | u64::from(entry) << (8 * byte)
        })
    }

    /// Writes eight configuration bytes; locked ones stay.
    pub fn set_configuration(&mut self, first_entry: usize, word: u64) {
        for (byte, value) in word.to_le_bytes().into_iter().enumerate() {
            if let Some(entry) = self.configuration.get_mut(first_entry + byte)
                && *entry & LOCKED == 0
            {
                *entry = legal_configuration(value);
            }
        }
        self.update_regions();
    }

    /// Whether `privilege` may access the `length` bytes at `address` this way.
    pub(crate) fn allows(
        &self,
        address: u64,
        length: u64,
        access: Access,
        privilege: Privilege,
    ) -> bool {
        let last = address.saturating_add(length - 1);
        let matched =
            self.regions.iter().find(|region| region.first <= last && address <= region.last);
        match matched {
            None => privilege == Privilege::Machine,
            Some(region) => {
                region.first <= address
                    && last <= region.last
                    && permits(region.configuration, access, privilege)
            }
        }
    }

    /// An address is locked with its own entry, and as the bottom of a locked range.
    fn is_address_locked(&self, entry: usize) -> bool {
        let is_locked_top = |configuration: &u8| {
            configuration & LOCKED != 0 && configuration & MODE == TOP_OF_RANGE
        };
        self.configuration[entry] & LOCKED != 0
            || self.configuration.get(entry + 1).is_some_and(is_locked_top)
    }

    fn update_regions(&mut self) {
        self.regions = (0..ENTRIES).filter_map(|entry| self.region(entry)).collect();
    }

    fn region(&self, entry: usize) -> Option<Region> {
        let configuration = self.configuration[entry];
        let address = self.address[entry];
        let (first, last) = match configuration & MODE {
            TOP_OF_RANGE => {
                let bottom = if entry == 0 { 0 } else { self.address[entry - 1] << 2 };
                (bottom, (address << 2).checked_sub(1)?)
            }
            NATURAL_FOUR => (address << 2, (address << 2) + 3),
            NATURAL_POWER => natural_range(address),
            _ => return None,
        };
        (first <= last).then_some(Region { first, last, configuration })
    }
}

/// The range that a NAPOT address register names: each trailing one doubles it, from eight bytes.
fn natural_range(address: u64) -> (u64, u64) {
    let ones = address.trailing_ones();
    let size = 8_u64 << ones;
    let first = (address << 2) & !(size - 1);
    (first, first + (size - 1))
}

/// Writing without reading is reserved: such a byte loses the right to write.
fn legal_configuration(value: u8) -> u8 {
    let value = value & (LOCKED | MODE | READ | WRITE | EXECUTE);
    if value & READ == 0 { value & !WRITE } else { value }
}

fn permits(configuration: u8, access: Access, privilege: Privilege) -> bool {
    let right = match access {
        Access::Fetch => EXECUTE,
        Access::Load => READ,
        Access::Store => WRITE,
    };
    let binds = privilege != Privilege::Machine || configuration & LOCKED != 0;
    !binds || configuration & right != 0
}
