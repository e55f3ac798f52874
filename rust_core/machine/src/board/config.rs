//! What a board is made of.

use crate::disk_image::DiskImage;
use dcsim_hart::IsaProfile;
use std::ops::Range;

/// What a board is made of. The default is one hart at 1 GHz with 128 MiB of memory, a serial port
/// and an entropy device.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "one for each thing that is there or is not")]
pub struct BoardConfig {
    /// The number of harts.
    pub harts: usize,
    /// Bytes of memory from [`map::MEMORY_BASE`](super::map::MEMORY_BASE), whole pages.
    pub ram_bytes: u64,
    /// The disk, if there is one.
    pub disk: Option<DiskImage>,
    /// Whether there is a network interface.
    pub network: bool,
    /// The Ethernet address of the network interface.
    pub mac: [u8; 6],
    /// Whether there is a virtio console beside the serial port; it gets the input while a driver
    /// runs it.
    pub console: bool,
    /// Whether there is a balloon.
    pub balloon: bool,
    /// Whether the balloon hears of pages that the guest does not use.
    pub free_page_reporting: bool,
    /// The seed of the entropy device and of the kernel's `rng-seed`.
    pub entropy_seed: u64,
    /// The kernel's command line.
    pub bootargs: String,
    /// Where the kernel finds an initial RAM disk, if there is one.
    pub initrd: Option<Range<u64>>,
    /// The instruction set of the harts, for the device tree.
    pub isa: IsaProfile,
    /// Cycles of a hart per second.
    pub hz: u64,
    /// Ticks of the `time` counter per second.
    pub timebase_hz: u64,
}

impl Default for BoardConfig {
    fn default() -> Self {
        Self {
            harts: 1,
            ram_bytes: 128 << 20,
            disk: None,
            network: false,
            mac: [0x02, 0, 0, 0, 0, 0x01],
            console: false,
            balloon: false,
            free_page_reporting: false,
            entropy_seed: 0,
            bootargs: String::new(),
            initrd: None,
            isa: IsaProfile::default(),
            hz: 1_000_000_000,
            timebase_hz: 10_000_000,
        }
    }
}
