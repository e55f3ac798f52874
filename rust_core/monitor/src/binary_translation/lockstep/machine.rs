//! One machine with one guest, in small steps.

use crate::binary_translation::BinaryTranslation;

use crate::binary_translation::sheet::{PAGE, Place};
use crate::binary_translation::translator::bits_at;
use crate::config::{MarkUpdates, PagingKind, TechniqueKind, VmConfig};
use crate::cpu_state::CpuState;
use crate::exit::ExitKind;
use crate::host::Host;
use crate::ids::VmId;
use crate::profile::HardwareProfile;
use crate::resident::{Bank, extract_supervisor, extract_user};
use crate::shadow::entry::VALID;
use crate::shadow::view::View;
use crate::technique::{Site, Step, Technique};
use dcsim_hart::{Hart, IsaProfile, Missing, Privilege, SecondStage, Timing};
use dcsim_machine::{DiskImage, IoStatus, RequestTag};
use dcsim_memory::{PageStore, PhysicalAddress};
use std::any::Any;
use std::collections::VecDeque;

const MIB: u64 = 1 << 20;

/// What a guest is made of.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// Its kernel.
    pub(super) image: Vec<u8>,
    /// The kernel's arguments.
    pub(super) bootargs: String,
    /// Its memory.
    pub(super) memory_bytes: u64,
    /// What is on its disk.
    pub(super) disk: Option<DiskImage>,
    /// Instructions of the guest from a disk request until it is done, unless it waits for that.
    pub(super) disk_delay: u64,
    /// What sets accessed and dirty bits.
    pub(super) mark_updates: MarkUpdates,
    /// The instruction set of its harts.
    pub(super) isa: IsaProfile,
    /// Whether code of its users is translated, too.
    pub(super) translates_users: bool,
    /// The memory of a host with a monitor.
    pub(super) host_bytes: u64,
    /// Every so many reservations of frames fail there once, unless it is 0.
    pub(super) failures: u64,
}

impl Guest {
    /// A guest with this kernel, and nothing else special.
    pub(super) fn new(image: Vec<u8>) -> Self {
        Self {
            image,
            bootargs: String::new(),
            memory_bytes: 8 * MIB,
            disk: Some(DiskImage::new(MIB)),
            disk_delay: 0,
            mark_updates: MarkUpdates::Hardware,
            isa: IsaProfile::Rv64gc,
            translates_users: false,
            host_bytes: 24 * MIB,
            failures: 0,
        }
    }
}

/// A profile in which everything costs something, but `time` never changes.
fn profile(isa: IsaProfile) -> HardwareProfile {
    let mut timing = Timing::uniform();
    timing.timebase_hz = 1;
    timing.trap_cycles = 30;
    timing.return_cycles = 15;
    timing.walk_reference_cycles = 8;
    timing.device_access_cycles = 40;
    let missing = Missing::NONE;
    HardwareProfile { isa, missing, second_stage: SecondStage::BareOnly, timing, numa: None }
}

/// A machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) store: PageStore,
    pub(super) host: Host,
    pub(super) vm: VmId,
    /// The status with which the guest has switched it off.
    pub(super) status: Option<u32>,
    /// Disk requests, and at which count of instructions they are done.
    requests: VecDeque<(u64, RequestTag)>,
    disk_delay: u64,
    /// Reservations of frames fail now and then.
    fails: bool,
}

impl Machine {
    /// A machine that is about to execute the guest's first instruction.
    pub(super) fn new(guest: &Guest, technique: TechniqueKind, paging: PagingKind) -> Self {
        let mut store = PageStore::new(1 << 28);
        let is_bare = technique == TechniqueKind::BareMetal;
        let host_bytes = if is_bare { guest.memory_bytes } else { guest.host_bytes };
        let mut host = Host::new(profile(guest.isa), 1, host_bytes).unwrap();
        let config = VmConfig {
            name: "guest".to_owned(),
            technique,
            paging,
            mark_updates: guest.mark_updates,
            memory_bytes: guest.memory_bytes,
            vcpus: 1,
            bootargs: guest.bootargs.clone(),
            network: false,
            console: false,
            balloon: false,
            free_page_reporting: false,
            large_pages: false,
            translate_user: guest.translates_users && !is_bare,
            memory_node: None,
            entropy_seed: 1,
            process: None,
        };
        let disk = guest.disk.clone();
        let vm = host.create_vm(&mut store, config, &guest.image, disk).unwrap();
        host.load(&mut store, 0, vm, 0).unwrap();
        host.withhold_steal_time(vm);
        host.fail_frame_allocations(guest.failures);
        let (requests, disk_delay) = (VecDeque::new(), guest.disk_delay);
        Self { store, host, vm, status: None, requests, disk_delay, fails: guest.failures > 0 }
    }

    /// The hart of the machine.
    pub(super) fn hart(&self) -> &Hart {
        self.host.hart(0)
    }

    /// Instructions that the guest saw retire.
    pub(super) fn instructions(&self) -> u64 {
        self.host.counters(self.vm).unwrap().instructions()
    }

    /// One step of the technique: one instruction of the hart at most.
    pub(super) fn step(&mut self) -> Result<(), String> {
        self.complete_requests();
        let until_ns = self.now_ns() + 1;
        let exit = self.host.run(&mut self.store, until_ns).map_err(|error| error.to_string())?;
        match exit.kind {
            ExitKind::Until => {}
            ExitKind::Memory if self.fails => {}
            ExitKind::Io { tag, .. } => {
                self.requests.push_back((self.instructions() + self.disk_delay, tag));
            }
            ExitKind::Wait { wake_ns } => self.wait(wake_ns)?,
            ExitKind::Shutdown { code } => self.status = Some(code),
            other => return Err(format!("{other:?}")),
        }
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        self.host.local_time_ns(0).unwrap()
    }

    fn complete_requests(&mut self) {
        let count = self.instructions();
        while self.requests.front().is_some_and(|(due, _)| *due <= count) {
            let (_, tag) = self.requests.pop_front().unwrap();
            let now_ns = self.now_ns();
            self.host.complete_io(&mut self.store, self.vm, tag, now_ns, IoStatus::Done).unwrap();
        }
    }

    /// The guest waits: for its disk, or for a timer.
    fn wait(&mut self, wake_ns: Option<u64>) -> Result<(), String> {
        if self.requests.is_empty() {
            let wake_ns = wake_ns.ok_or("the guest waits for ever")?;
            self.host.run(&mut self.store, wake_ns).map_err(|error| error.to_string())?;
        }
        for (due, _) in &mut self.requests {
            *due = 0;
        }
        Ok(())
    }

    /// What the guest has printed since the last time.
    pub(super) fn console(&mut self) -> String {
        String::from_utf8_lossy(&self.host.console_output(self.vm).unwrap()).into_owned()
    }

    /// Registers of a guest on bare metal; `None` if its firmware is at work.
    pub(super) fn bare_state(&self) -> Option<CpuState> {
        let hart = self.hart();
        if hart.privilege == Privilege::Machine {
            return None;
        }
        let mut state = CpuState {
            supervisor: extract_supervisor(hart, hart.privilege, Bank::Host),
            instructions: hart.csrs.minstret.value(hart.counters.instructions),
            ..CpuState::at_entry(hart.pc, 0)
        };
        extract_user(hart, &mut state);
        Some(state)
    }

    /// The translator.
    pub(super) fn translation(&self) -> &BinaryTranslation {
        let technique: &dyn Any = self.host.technique(self.vm);
        technique.downcast_ref().expect("the guest is translated")
    }

    /// The translator, and what it works on.
    pub(super) fn parts(&mut self) -> (Site<'_>, &mut BinaryTranslation) {
        let (site, technique) = self.host.parts(&mut self.store, self.vm);
        let technique: &mut dyn Any = technique;
        (site, technique.downcast_mut().expect("the guest is translated"))
    }

    /// One step of the technique, whatever the time; once more if only a test made it fail.
    pub(super) fn technique_step(&mut self) -> Result<(), String> {
        let fails = self.fails;
        let (mut site, technique) = self.parts();
        let until = site.now_cycles() + 1;
        let mut step = || technique.step(&mut site, until).map_err(|error| error.to_string());
        let mut done = step()?;
        while fails && matches!(done, Step::Memory(_)) {
            done = step()?;
        }
        if done == Step::Done { Ok(()) } else { Err(format!("{done:?}")) }
    }
}

/// What is in frames.
impl Machine {
    /// Whether the guest's tree maps a place of the cache.
    pub(super) fn is_mapped(&mut self, place: Place) -> bool {
        let (mut site, translator) = self.parts();
        let (guest, address) = (&translator.base.life.guest, translator.cache.address(place));
        let (translation, view) = (guest.translation, View::of(guest));
        let leaf = translator.base.spaces.leaf(&mut site.meter(), translation, view, address);
        leaf.is_ok_and(|leaf| leaf & VALID != 0)
    }

    /// Where in memory a place of the cache is.
    pub(super) fn frame_of(&self, place: Place) -> Option<PhysicalAddress> {
        let sheet = self.translation().cache.sheets.get(place)?;
        Some(PhysicalAddress(sheet.frame.0 + place % PAGE))
    }

    /// The bits of the instruction at an address.
    pub(super) fn bits_at(&mut self, address: PhysicalAddress) -> u32 {
        let (site, _) = self.parts();
        let mut bytes = [0; 4];
        let length = (PAGE - address.0 % PAGE).min(4) as usize;
        site.memory.read(address, &mut bytes[..length]).unwrap();
        bits_at(&bytes).unwrap_or_default()
    }

    /// Puts a halfword into memory; returns what was there.
    pub(super) fn replace(&mut self, address: PhysicalAddress, value: u16) -> u16 {
        let (mut site, _) = self.parts();
        let old = site.memory.read_u16(address).unwrap();
        site.memory.write_u16(address, value).unwrap();
        old
    }
}
