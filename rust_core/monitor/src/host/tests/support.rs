//! A small model of a hypervisor: one that serves exits at once.

use crate::config::{PagingKind, TechniqueKind, VmConfig};
use crate::exit::{Exit, ExitKind};
use crate::host::Host;
use crate::ids::VmId;
use crate::profile::HardwareProfile;
use dcsim_hart::{IsaProfile, Timing};
use dcsim_machine::{DiskImage, IoStatus};
use dcsim_memory::PageStore;

/// How long a disk request takes.
const DISK_NS: u64 = 50_000;

/// No test's guest runs longer.
const LIMIT_NS: u64 = 20_000_000_000;

pub fn profile() -> HardwareProfile {
    let mut timing = Timing::uniform();
    timing.trap_cycles = 30;
    timing.return_cycles = 15;
    timing.walk_reference_cycles = 8;
    timing.ipi_cycles = 2000;
    HardwareProfile { isa: IsaProfile::Rv64gc, timing }
}

pub fn config(technique: TechniqueKind, memory_bytes: u64, bootargs: &str) -> VmConfig {
    VmConfig {
        name: "guest".to_owned(),
        technique,
        paging: PagingKind::Shadow,
        memory_bytes,
        bootargs: bootargs.to_owned(),
        network: false,
        entropy_seed: 1,
    }
}

pub fn kernel() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dcsim/guest/images/kernel.elf");
    std::fs::read(path).unwrap()
}

/// What a guest that powered itself off leaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    pub console: String,
    pub code: u32,
    pub time_ns: u64,
    pub exits: u64,
    pub memory_exits: u64,
}

pub struct World {
    pub store: PageStore,
    pub host: Host,
    /// Requests under way: when they are done, whose, and which.
    pending: Vec<(u64, VmId, dcsim_machine::RequestTag)>,
}

impl World {
    pub fn new(pcpus: usize, memory_bytes: u64) -> Self {
        Self::with_profile(profile(), pcpus, memory_bytes)
    }

    pub fn with_profile(profile: HardwareProfile, pcpus: usize, memory_bytes: u64) -> Self {
        let host = Host::new(profile, pcpus, memory_bytes).unwrap();
        Self { store: PageStore::new(1 << 30), host, pending: Vec::new() }
    }

    pub fn boot(&mut self, config: VmConfig, pcpu: usize) -> VmId {
        self.boot_image(config, &kernel(), None, pcpu)
    }

    pub fn boot_image(
        &mut self,
        config: VmConfig,
        image: &[u8],
        disk: Option<DiskImage>,
        pcpu: usize,
    ) -> VmId {
        let vm = self.host.create_vm(&mut self.store, config, image, disk).unwrap();
        self.host.load(&mut self.store, pcpu, vm, 0).unwrap();
        vm
    }

    pub fn run(&mut self, until_ns: u64) -> Exit {
        self.host.run(&mut self.store, until_ns).unwrap()
    }

    /// Serves exits until the VM powers itself off.
    pub fn run_to_power_off(&mut self, vm: VmId) -> Report {
        self.run_cut(vm, &mut |_| LIMIT_NS)
    }

    /// The same, with every run cut where `cut` says, given the time that has been reached.
    pub fn run_cut(&mut self, vm: VmId, cut: &mut dyn FnMut(u64) -> u64) -> Report {
        let mut report =
            Report { console: String::new(), code: 0, time_ns: 0, exits: 0, memory_exits: 0 };
        let mut now_ns = 0;
        loop {
            self.pending.sort();
            let next = self.pending.first().map_or(LIMIT_NS, |(done, ..)| *done);
            let exit = self.run(next.min(cut(now_ns)).max(now_ns + 1).min(next));
            now_ns = now_ns.max(exit.time_ns);
            match exit.kind {
                ExitKind::Until => self.complete(exit.time_ns),
                ExitKind::Memory => report.memory_exits += 1,
                ExitKind::Io { tag, .. } => {
                    self.pending.push((exit.time_ns + DISK_NS, exit.vm.unwrap(), tag));
                }
                ExitKind::Fault { message } => panic!("{message}"),
                ExitKind::Shutdown { code } if exit.vm == Some(vm) => {
                    report.code = code;
                    report.time_ns = exit.time_ns;
                    break;
                }
                _ => report.exits += 1,
            }
            assert!(now_ns < LIMIT_NS, "the guest does not end: {}", self.console(vm));
        }
        report.console = self.console(vm);
        self.host.ledger(vm).unwrap().verify().unwrap();
        assert_eq!(self.host.counters(vm).unwrap().lateness_ns, 0);
        report
    }

    fn complete(&mut self, now_ns: u64) {
        let (done, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|(at, ..)| *at <= now_ns);
        self.pending = rest;
        for (at, vm, tag) in done {
            self.host.complete_io(&mut self.store, vm, tag, at, IoStatus::Done).unwrap();
        }
    }

    pub fn console(&mut self, vm: VmId) -> String {
        String::from_utf8_lossy(&self.host.console_output(vm).unwrap()).into_owned()
    }
}
