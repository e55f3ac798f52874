//! Power-on: loading a kernel and starting the first hart.

use super::{Activity, Machine};
use crate::board::map::{self, Region};
use crate::device_tree::device_tree;
use crate::firmware::{Firmware, StartPoint};
use crate::loader::{self, ImageError, Plan};
use crate::meter::Meter;
use dcsim_memory::{Memory, PageStore};
use std::ops::Range;

/// Why a machine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The image cannot be loaded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The configuration cannot be described in a device tree.
    #[error("the device tree cannot be made: {0}")]
    DeviceTree(#[from] vm_fdt::Error),
}

impl Machine {
    /// Starts the machine anew with a kernel: all devices and harts are reset, the kernel and a
    /// device tree are loaded, and hart 0 enters the kernel. With firmware that is in supervisor
    /// mode, `a0` the hart's number and `a1` the address of the tree; without, in machine mode
    /// with the same registers, and all harts together. Clocks and counters go on.
    pub fn boot(
        &mut self,
        store: &mut PageStore,
        kernel: &[u8],
        bootargs: &str,
    ) -> Result<(), BootError> {
        self.boot_with_initrd(store, kernel, &[], bootargs)
    }

    /// The same with an initial RAM disk, unless that is empty.
    pub fn boot_with_initrd(
        &mut self,
        store: &mut PageStore,
        kernel: &[u8],
        initrd: &[u8],
        bootargs: &str,
    ) -> Result<(), BootError> {
        bootargs.clone_into(&mut self.config.board.bootargs);
        let plan = Plan::read(kernel)?;
        self.config.board.initrd = self.place_initrd(&plan, initrd.len() as u64)?;
        let tree = device_tree(&self.config.board)?;
        let mut memory = Memory { store, frames: &mut self.frames };
        let ram_bytes = self.config.board.ram_bytes;
        let placement = loader::load(&mut memory, ram_bytes, &plan, &tree)?;
        if let Some(place) = &self.config.board.initrd {
            loader::write(&mut memory, place.start, initrd)?;
        }
        let start = StartPoint { address: placement.entry, opaque: placement.device_tree };
        self.reset();
        match self.config.firmware {
            Some(config) => {
                let mut firmware = Firmware::new(config, self.cores.len());
                self.enter_kernel(store, &mut firmware, start);
                self.firmware = Some(firmware);
            }
            None => self.enter_machine_mode(start),
        }
        Ok(())
    }

    /// Where the initial RAM disk goes, if there is one. The length of the device tree does not
    /// depend on the addresses in it.
    fn place_initrd(&self, plan: &Plan<'_>, length: u64) -> Result<Option<Range<u64>>, BootError> {
        if length == 0 {
            return Ok(None);
        }
        let mut board = self.config.board.clone();
        board.initrd = Some(0..length);
        let ram = Region { base: map::MEMORY_BASE, bytes: board.ram_bytes };
        let tree_bytes = device_tree(&board)?.len() as u64;
        let tree = loader::device_tree_address(ram, plan.end(), tree_bytes)?;
        let start = loader::initrd_address(plan.end(), tree, length)?;
        Ok(Some(start..start + length))
    }

    fn reset(&mut self) {
        self.board.reset();
        for core in &mut self.cores {
            core.hart.reset(map::MEMORY_BASE);
            core.activity = Activity::Stopped;
        }
    }

    fn enter_kernel(&mut self, store: &mut PageStore, firmware: &mut Firmware, start: StartPoint) {
        let memory = Memory { store, frames: &mut self.frames };
        if let Some(core) = self.cores.first_mut() {
            let mut meter = Meter::with_bus(&mut core.hart, memory, &mut self.board);
            firmware.boot(&mut meter, start);
            core.activity = Activity::Running;
        }
    }

    fn enter_machine_mode(&mut self, start: StartPoint) {
        for core in &mut self.cores {
            core.hart.pc = start.address;
            core.hart.x[10] = core.hart.id as u64;
            core.hart.x[11] = start.opaque;
            core.activity = Activity::Running;
        }
    }
}
