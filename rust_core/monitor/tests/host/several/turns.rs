//! A model that lets the vCPUs of one VM take turns on pCPUs, as a hypervisor does: those that wait
//! leave, those that are woken come back.

use super::guests::NOTES;
use dcsim_memory::PageStore;
use dcsim_monitor::{
    ExitKind, ExitReason, HardwareProfile, Host, VmConfig, VmCounters, VmId, VmState,
};
use std::collections::VecDeque;

/// How long a vCPU may stay if others want to run.
const TURN_NS: u64 = 20_000;
const LIMIT_NS: u64 = 200_000_000;
const MEMORY: u64 = 0x8000_0000;

/// What a run leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub notes: [u64; 8],
    pub log: Vec<String>,
    pub now_ns: u64,
    pub causes: Vec<(String, u64)>,
    pub counters: VmCounters,
    pub digest: Vec<u8>,
}

impl End {
    /// How often the VM left its guest for a reason.
    pub fn exits(&self, reason: ExitReason) -> u64 {
        self.counters.exits().find(|(known, _)| *known == reason).map_or(0, |(_, count)| count)
    }

    /// The cycles of a cause.
    pub fn cycles(&self, cause: &str) -> u64 {
        self.causes.iter().find(|(known, _)| known == cause).map_or(0, |(_, cycles)| *cycles)
    }
}

/// A host, its VM, and whose turn it is.
pub struct Turns {
    store: PageStore,
    host: Host,
    vm: VmId,
    vcpus: usize,
    /// Those that want to run.
    queue: VecDeque<usize>,
    /// When the timers of those that wait expire.
    waiting: Vec<(u64, usize)>,
    /// Those that wait, with or without a timer.
    blocked: Vec<usize>,
    log: Vec<String>,
    now_ns: u64,
    is_over: bool,
}

impl Turns {
    pub fn new(profile: HardwareProfile, pcpus: usize, config: VmConfig, image: &[u8]) -> Self {
        let mut store = PageStore::new(1 << 30);
        let mut host = Host::new(profile, pcpus, 64 << 20).unwrap();
        let vcpus = config.vcpus;
        let vm = host.create_vm(&mut store, config, image, None).unwrap();
        Self::begin(store, host, vm, vcpus, 0)
    }

    /// A VM that goes on where another one was saved.
    pub fn restored(
        profile: HardwareProfile,
        pcpus: usize,
        config: VmConfig,
        before: &mut Self,
        mut state: VmState,
    ) -> Self {
        let mut store = std::mem::replace(&mut before.store, PageStore::new(1 << 20));
        let mut host = Host::new(profile, pcpus, 64 << 20).unwrap();
        let bytes = state.to_bytes(&store);
        state.release(&mut store);
        let mut state = VmState::from_bytes(&mut store, &bytes).unwrap();
        let vcpus = config.vcpus;
        let vm = host.restore_vm(&mut store, config, &state, None).unwrap();
        state.release(&mut store);
        Self::begin(store, host, vm, vcpus, before.now_ns)
    }

    fn begin(store: PageStore, host: Host, vm: VmId, vcpus: usize, now_ns: u64) -> Self {
        let mut turns = Self {
            store,
            host,
            vm,
            vcpus,
            queue: VecDeque::new(),
            waiting: Vec::new(),
            blocked: Vec::new(),
            log: Vec::new(),
            now_ns,
            is_over: false,
        };
        for vcpu in 0..vcpus {
            if turns.host.runnable((vm, vcpu), Some(now_ns)).unwrap() {
                turns.queue.push_back(vcpu);
            } else {
                turns.block(vcpu);
            }
        }
        turns
    }

    /// Plays to the end, with runs no longer than `cut` says.
    pub fn play(mut self, cut: &mut dyn FnMut() -> u64) -> End {
        self.play_cut(LIMIT_NS, cut);
        assert!(self.is_over, "the guest does not end: {:?}", self.log.last());
        self.unload_all();
        let state = self.host.save_vm(&mut self.store, self.vm).unwrap();
        let ledger = self.host.ledger(self.vm).unwrap();
        ledger.verify().unwrap();
        let counters = self.host.counters(self.vm).unwrap();
        assert_eq!(counters.lateness_ns, 0);
        let parts = (0..self.vcpus)
            .map(|vcpu| self.host.vcpu_counters((self.vm, vcpu).into()).unwrap().instructions());
        assert_eq!(parts.sum::<u64>(), counters.instructions());
        let page = self.store.page(state.pages[((NOTES - MEMORY) / 4096) as usize]);
        let note = |index: usize| u64::from_le_bytes(page[8 * index..][..8].try_into().unwrap());
        End {
            notes: std::array::from_fn(note),
            log: self.log,
            now_ns: self.now_ns,
            causes: ledger.causes(),
            counters,
            digest: state.digest(&self.store).to_vec(),
        }
    }

    /// Plays up to a time.
    pub fn play_until(&mut self, end_ns: u64) {
        self.play_cut(end_ns, &mut || u64::MAX);
    }

    /// Saves the VM where it is.
    pub fn save(&mut self) -> VmState {
        assert!(!self.is_over, "the guest has ended already");
        for vcpu in 0..self.vcpus {
            while !self.host.settled((self.vm, vcpu)).unwrap() {
                self.play_until(self.now_ns + 1);
            }
        }
        self.unload_all();
        self.host.save_vm(&mut self.store, self.vm).unwrap()
    }

    fn unload_all(&mut self) {
        for pcpu in 0..self.host.pcpu_count() {
            if self.host.loaded(pcpu).unwrap().is_some() {
                self.host.unload(&mut self.store, pcpu).unwrap();
            }
        }
    }

    fn play_cut(&mut self, end_ns: u64, cut: &mut dyn FnMut() -> u64) {
        self.dispatch();
        while !self.is_over && self.now_ns < end_ns {
            let turn_ns = (self.now_ns / TURN_NS + 1) * TURN_NS;
            let timer_ns = self.waiting.iter().map(|(due, _)| *due).min().unwrap_or(end_ns);
            let event_ns = turn_ns.min(timer_ns).min(end_ns).max(self.now_ns + 1);
            let until_ns = event_ns.min(self.now_ns.saturating_add(cut().max(1)));
            let exit = self.host.run(&mut self.store, until_ns).unwrap();
            self.now_ns = self.now_ns.max(exit.time_ns);
            let vcpu = exit.vcpu.unwrap_or(0);
            match &exit.kind {
                ExitKind::Until => {
                    if self.now_ns == event_ns {
                        self.host.count_frames(&mut self.store).unwrap();
                        self.expire();
                        self.rotate(self.now_ns == turn_ns);
                    }
                    continue;
                }
                ExitKind::Wait { wake_ns } => self.lay_down(exit.pcpu.unwrap(), vcpu, *wake_ns),
                ExitKind::Spin { .. } => self.lay_down(exit.pcpu.unwrap(), vcpu, None),
                ExitKind::Wake { vcpu } => self.wake(*vcpu),
                ExitKind::Shutdown { .. } => self.is_over = true,
                other => panic!("{other:?}"),
            }
            self.log.push(format!("{exit:?}"));
            self.dispatch();
        }
    }

    fn block(&mut self, vcpu: usize) {
        self.blocked.push(vcpu);
        if let Some(wake_ns) = self.host.next_timer_ns((self.vm, vcpu)).unwrap() {
            self.waiting.push((wake_ns, vcpu));
        }
    }

    fn lay_down(&mut self, pcpu: usize, vcpu: usize, wake_ns: Option<u64>) {
        if self.host.runnable((self.vm, vcpu), Some(self.now_ns)).unwrap() {
            return;
        }
        self.host.unload(&mut self.store, pcpu).unwrap();
        self.blocked.push(vcpu);
        self.waiting.extend(wake_ns.map(|wake_ns| (wake_ns, vcpu)));
    }

    fn wake(&mut self, vcpu: usize) {
        if let Some(place) = self.blocked.iter().position(|known| *known == vcpu) {
            self.blocked.remove(place);
            self.waiting.retain(|(_, known)| *known != vcpu);
            self.queue.push_back(vcpu);
        }
    }

    fn expire(&mut self) {
        let now_ns = self.now_ns;
        let due: Vec<_> = self.waiting.iter().filter(|(due, _)| *due <= now_ns).copied().collect();
        for (_, vcpu) in due {
            self.wake(vcpu);
        }
        self.dispatch();
    }

    /// Lets those that want to run have the pCPUs of those that had a turn.
    fn rotate(&mut self, is_turn: bool) {
        for pcpu in 0..self.host.pcpu_count() {
            let Some(loaded) = self.host.loaded(pcpu).unwrap().filter(|_| is_turn) else {
                continue;
            };
            if !self.queue.is_empty() && self.host.settled(loaded).unwrap() {
                self.host.unload(&mut self.store, pcpu).unwrap();
                self.queue.push_back(loaded.vcpu);
                self.dispatch();
            }
        }
    }

    fn dispatch(&mut self) {
        for pcpu in 0..self.host.pcpu_count() {
            if self.host.loaded(pcpu).unwrap().is_some() {
                continue;
            }
            if let Some(vcpu) = self.queue.pop_front() {
                self.host.load(&mut self.store, pcpu, (self.vm, vcpu), self.now_ns).unwrap();
            }
        }
    }
}
