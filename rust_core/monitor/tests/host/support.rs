//! A small model of a data centre with one host: it serves exits after fixed latencies and lets
//! VMs take turns on pCPUs. Whatever it does depends on simulated time alone.

use dcsim_hart::{IsaProfile, Missing, SecondStage};
use dcsim_machine::test_utils::telling_costs;
use dcsim_machine::{DiskImage, IoStatus, RequestTag};
use dcsim_memory::PageStore;
use dcsim_monitor::{
    ExitKind, FrameUsage, HardwareProfile, Host, MarkUpdates, PagingKind, TechniqueKind, VmConfig,
    VmCounters, VmId,
};

/// How long a disk request takes.
const DISK_NS: u64 = 50_000;

/// No test's guests run longer.
pub const LIMIT_NS: u64 = 20_000_000_000;

pub const MIB: u64 = 1 << 20;

/// A profile in which everything costs something.
pub fn profile() -> HardwareProfile {
    HardwareProfile {
        isa: IsaProfile::Rv64gc,
        missing: Missing::NONE,
        second_stage: SecondStage::Full,
        timing: telling_costs(),
        numa: None,
    }
}

/// The same with the hypervisor extension: every technique works on it.
pub fn assisted_profile() -> HardwareProfile {
    HardwareProfile { isa: IsaProfile::Rv64gch, ..profile() }
}

/// The plainest of them that a technique works on: a guest that owns a machine would see more.
pub fn profile_for(technique: TechniqueKind) -> HardwareProfile {
    if technique == TechniqueKind::HardwareAssisted { assisted_profile() } else { profile() }
}

/// A technique with a way of paging: what every guest has to behave alike under.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Cell {
    pub technique: TechniqueKind,
    pub paging: PagingKind,
}

impl From<TechniqueKind> for Cell {
    fn from(technique: TechniqueKind) -> Self {
        Self { technique, paging: technique.pagings()[0] }
    }
}

/// All of them that there are for guests of any kind: some kernels know of no monitor.
pub fn cells() -> Vec<Cell> {
    let of = |technique: TechniqueKind| {
        technique.pagings().iter().map(move |paging| Cell { technique, paging: *paging })
    };
    let any_guest = |technique: &TechniqueKind| !technique.needs_interface();
    TechniqueKind::ALL.into_iter().filter(any_guest).flat_map(of).collect()
}

/// Those with a monitor.
pub fn monitored_cells() -> Vec<Cell> {
    cells().into_iter().filter(|cell| cell.technique != TechniqueKind::BareMetal).collect()
}

pub fn config(cell: impl Into<Cell>, memory_bytes: u64, bootargs: &str) -> VmConfig {
    let Cell { technique, paging } = cell.into();
    VmConfig {
        name: "guest".to_owned(),
        technique,
        paging,
        mark_updates: MarkUpdates::Hardware,
        memory_bytes,
        vcpus: 1,
        bootargs: bootargs.to_owned(),
        network: false,
        console: false,
        balloon: false,
        free_page_reporting: false,
        large_pages: false,
        translate_user: false,
        memory_node: None,
        entropy_seed: 1,
        process: None,
    }
}

/// The guest kernel with its programs.
pub fn kernel() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dcsim/guest/images/kernel.elf");
    std::fs::read(path).unwrap()
}

/// What can be seen of a VM in the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    pub console: String,
    pub code: Option<u32>,
    pub causes: Vec<(String, u64)>,
    pub counters: VmCounters,
    pub usage: FrameUsage,
}

/// A host and its model.
pub struct Model {
    pub store: PageStore,
    pub host: Host,
    pub vms: Vec<VmId>,
    /// VMs take turns on pCPUs after this time.
    pub turn_ns: u64,
    /// No guest may run longer.
    pub limit_ns: u64,
    /// Exits as they came, those left out that a cut or a failed allocation causes.
    pub log: Vec<String>,
    /// Exits for want of frames.
    pub memory_exits: u64,
    /// Pages that were brought back.
    pub swap_ins: u64,
    pub now_ns: u64,
    turns: u64,
    /// Requests under way: when they are done, whose, and which.
    pending: Vec<(u64, VmId, RequestTag)>,
    codes: Vec<Option<u32>>,
}

impl Model {
    pub fn new(pcpus: usize, memory_bytes: u64) -> Self {
        Self::with_profile(profile(), pcpus, memory_bytes)
    }

    /// A host for guests of one technique.
    pub fn of(technique: TechniqueKind, pcpus: usize, memory_bytes: u64) -> Self {
        Self::with_profile(profile_for(technique), pcpus, memory_bytes)
    }

    pub fn with_profile(profile: HardwareProfile, pcpus: usize, memory_bytes: u64) -> Self {
        Self {
            store: PageStore::new(1 << 30),
            host: Host::new(profile, pcpus, memory_bytes).unwrap(),
            vms: Vec::new(),
            turn_ns: LIMIT_NS,
            limit_ns: LIMIT_NS,
            log: Vec::new(),
            memory_exits: 0,
            swap_ins: 0,
            now_ns: 0,
            turns: 0,
            pending: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// Creates a VM with the guest kernel.
    pub fn add(&mut self, config: VmConfig, disk: Option<DiskImage>) -> VmId {
        self.add_image(config, &kernel(), disk)
    }

    pub fn add_image(&mut self, config: VmConfig, image: &[u8], disk: Option<DiskImage>) -> VmId {
        let vm = self.host.create_vm(&mut self.store, config, image, disk).unwrap();
        self.adopt(vm)
    }

    /// Takes over a VM that is there already.
    pub fn adopt(&mut self, vm: VmId) -> VmId {
        self.vms.push(vm);
        self.codes.push(None);
        vm
    }

    /// Plays until all VMs have powered themselves off.
    pub fn play(&mut self) {
        self.play_cut(&mut || LIMIT_NS);
    }

    /// The same, with runs no longer than `cut` says, a new value each time.
    pub fn play_cut(&mut self, cut: &mut dyn FnMut() -> u64) {
        self.take_turns();
        while self.codes.iter().any(Option::is_none) {
            assert!(self.now_ns < self.limit_ns, "a guest does not end: {:?}", self.outcomes());
            let event_ns = self.next_event_ns();
            self.run_to(event_ns, cut);
        }
        // Where the other pCPUs are when the last exit comes depends on cuts: let all go on to a
        // common time.
        let end_ns = (self.now_ns / 1_000_000 + 1) * 1_000_000;
        while self.now_ns < end_ns {
            self.run_to(end_ns, cut);
        }
        for pcpu in 0..self.host.pcpu_count() {
            if self.host.loaded(pcpu).unwrap().is_some() {
                self.host.unload(&mut self.store, pcpu).unwrap();
            }
        }
    }

    /// Plays up to a time, whatever the VMs do.
    pub fn play_until(&mut self, end_ns: u64) {
        while self.now_ns < end_ns && self.codes.iter().any(Option::is_none) {
            let event_ns = self.next_event_ns().min(end_ns);
            self.run_to(event_ns, &mut || LIMIT_NS);
        }
    }

    /// Whether all guests have powered themselves off.
    pub fn has_ended(&self) -> bool {
        self.codes.iter().all(Option::is_some)
    }

    /// Requests that are not done.
    pub fn requests_under_way(&self) -> usize {
        self.pending.len()
    }

    fn next_event_ns(&self) -> u64 {
        let done = self.pending.iter().map(|(done, ..)| *done).min().unwrap_or(self.limit_ns);
        done.min((self.now_ns / self.turn_ns + 1).saturating_mul(self.turn_ns))
    }

    fn run_to(&mut self, event_ns: u64, cut: &mut dyn FnMut() -> u64) {
        let end_ns = event_ns.min(self.now_ns.saturating_add(cut().max(1)));
        let exit = self.host.run(&mut self.store, end_ns).unwrap();
        if exit.kind == ExitKind::Memory {
            self.memory_exits += 1;
            return;
        }
        self.now_ns = self.now_ns.max(exit.time_ns);
        if let ExitKind::SwapIn { page } = exit.kind {
            self.swap_ins += 1;
            let vm = exit.vm.unwrap();
            assert!(self.host.swap_in(&mut self.store, vm, page, None).unwrap());
            return;
        }
        if exit.kind == ExitKind::Until {
            self.complete();
            if self.now_ns.is_multiple_of(self.turn_ns) {
                self.take_turns();
            }
            return;
        }
        self.log.push(format!("{exit:?}"));
        let vm = exit.vm.unwrap();
        match exit.kind {
            ExitKind::Io { tag, .. } => self.pending.push((exit.time_ns + DISK_NS, vm, tag)),
            ExitKind::Fault { message } => panic!("{message}"),
            ExitKind::Shutdown { code } => {
                let index = self.vms.iter().position(|known| *known == vm).unwrap();
                self.codes[index] = Some(code);
            }
            _ => {}
        }
    }

    fn complete(&mut self) {
        let now_ns = self.now_ns;
        self.pending.sort();
        while self.pending.first().is_some_and(|(done, ..)| *done <= now_ns) {
            let (done, vm, tag) = self.pending.remove(0);
            self.host.complete_io(&mut self.store, vm, tag, done, IoStatus::Done).unwrap();
        }
    }

    /// Puts the next VMs on the pCPUs.
    pub fn take_turns(&mut self) {
        self.host.count_frames(&mut self.store).unwrap();
        let pcpus = self.host.pcpu_count();
        for pcpu in 0..pcpus {
            if self.host.loaded(pcpu).unwrap().is_some() {
                self.host.unload(&mut self.store, pcpu).unwrap();
            }
        }
        for pcpu in 0..pcpus.min(self.vms.len()) {
            let index = (self.turns as usize + pcpu) % self.vms.len();
            let (store, vm) = (&mut self.store, self.vms[index]);
            self.host.load(store, pcpu, vm, self.now_ns).unwrap();
        }
        self.turns += 1;
    }

    pub fn outcomes(&mut self) -> Vec<Outcome> {
        let vms: Vec<_> = self.vms.iter().copied().zip(self.codes.clone()).collect();
        vms.into_iter().map(|(vm, code)| self.outcome(vm, code)).collect()
    }

    fn outcome(&mut self, vm: VmId, code: Option<u32>) -> Outcome {
        let console = self.host.console_output(vm).unwrap();
        let ledger = self.host.ledger(vm).unwrap();
        ledger.verify().unwrap();
        let counters = self.host.counters(vm).unwrap();
        assert_eq!(counters.lateness_ns, 0);
        Outcome {
            console: String::from_utf8_lossy(&console).into_owned(),
            code,
            causes: ledger.causes(),
            counters,
            usage: self.host.frame_usage(vm).unwrap(),
        }
    }
}

/// Runs one guest to its end and returns what can be seen.
pub fn run_alone(config: VmConfig, disk: Option<DiskImage>) -> Outcome {
    let mut model = Model::of(config.technique, 1, 64 * MIB);
    model.add(config, disk);
    model.play();
    model.outcomes().remove(0)
}

/// Cycles of a cause.
pub fn cause(outcome: &Outcome, name: &str) -> u64 {
    outcome.causes.iter().find(|(cause, _)| cause == name).map_or(0, |(_, cycles)| *cycles)
}
