//! A host: pCPUs, frames, and the VMs on them.
//!
//! * this file: what a host is, VMs coming and going;
//! * [`run`]: advancing pCPUs up to the next event;
//! * [`devices`]: completions, packets, consoles; [`dirty_log`]: pages that VMs wrote;
//! * [`balloon`]: memory that guests give to their host;
//! * [`processor`]: putting vCPUs on pCPUs, paths of host software;
//! * [`snapshot`]: saving and restoring VMs;
//! * [`census`]: whose each frame is;
//! * [`sharing`]: pages of the same content in one frame; [`swapping`]: pages out of their frames;
//!   [`residency`]: where pages are; [`departures`]: translations that have to go;
//! * [`deferred`]: device work that waits for frames or pages.

mod balloon;
mod census;
mod creation;
mod deferred;
mod departures;
mod devices;
mod dirty_log;
#[cfg(test)]
mod inside;
mod processor;
mod residency;
mod run;
mod sharing;
mod snapshot;
mod swapping;

use crate::allocator::{FrameAllocator, FrameUsage};
use crate::counters::VmCounters;
use crate::error::HostError;
use crate::exit_paths::ExitPaths;
use crate::ids::{VcpuId, VmId};
use crate::ledger::Ledger;
use crate::overcommit::index::Index;
use crate::overcommit::shared_frames::SharedFrames;
use crate::overcommit::swap::SwapSpace;
use crate::pcpu::Pcpu;
use crate::profile::HardwareProfile;
use crate::safety::{Acting, Guard, Seen};
use crate::shadow::asid::AsidAllocator;
use crate::technique::{Site, Technique};
use crate::vcpu::Vcpu;
use crate::vm::Vm;
pub use balloon::Balloon;
pub use census::Census;
use dcsim_hart::Hart;
use dcsim_hart::engine::Interpreter;
use dcsim_machine::Board;
use dcsim_machine::board::map::MEMORY_BASE;
use dcsim_memory::{Frames, Memory, PAGE_BYTES, PageStore, PhysicalAddress};
use deferred::{Awaited, Deferred};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use sharing::{Scan, ScanReport, Sharing};
pub use swapping::{Compression, SwapOut};

const PAGE: u64 = PAGE_BYTES as u64;

/// A physical machine with a monitor and its VMs.
///
/// The pages of its memory lie in a [`PageStore`] that hosts share, so every call that can touch
/// memory takes it.
#[derive(Debug)]
pub struct Host {
    profile: HardwareProfile,
    /// Frames that the machine has.
    frame_count: u64,
    frames: Frames,
    allocator: FrameAllocator,
    asids: AsidAllocator,
    vmids: AsidAllocator,
    pcpus: Vec<Pcpu>,
    interpreter: Interpreter,
    vms: BTreeMap<VmId, Vm>,
    next_vm: u32,
    /// The guest that owns the machine, if there is no monitor.
    owner: Option<VmId>,
    /// Device work that waits for frames, in order.
    deferred: VecDeque<Deferred>,
    /// Pages written since the log of their VM was last taken.
    dirty: BTreeMap<VmId, BTreeSet<u64>>,
    /// What host software does at the exits of VMs that have a monitor.
    exit_paths: ExitPaths,
    /// A VM has several vCPUs: runs end with whole windows.
    has_several: bool,
    /// Where the scanner saw content before.
    index: Index,
    /// Pages without a frame whose content is kept.
    swap: SwapSpace,
    /// What the devices of VMs wait for, as the model knows.
    awaited: BTreeMap<VmId, Awaited>,
    /// What VMs reach is compared with who holds the frames after each step.
    audited: bool,
}

/// Where a host's memory begins.
const BASE: PhysicalAddress = PhysicalAddress(MEMORY_BASE);

impl Host {
    /// A host with `pcpus` pCPUs and `memory_bytes` of memory, of which part of a page is left
    /// out.
    pub fn new(
        profile: HardwareProfile,
        pcpus: usize,
        memory_bytes: u64,
    ) -> Result<Self, HostError> {
        let frame_count = memory_bytes / PAGE;
        if pcpus == 0 || frame_count == 0 {
            return Err(HostError::Refused("a host needs a pCPU and memory".to_owned()));
        }
        let too_much = |_| {
            HostError::Refused(format!(
                "a host with {memory_bytes} bytes of memory is more than the simulator has memory for"
            ))
        };
        let frames = Frames::try_new(BASE, frame_count).map_err(too_much)?;
        let mut allocator = FrameAllocator::try_new(BASE, frame_count).map_err(too_much)?;
        if let Some(numa) = profile.numa {
            allocator.divide(numa);
        }
        let hart = |id| {
            let hart = Hart::new(id, profile.isa, profile.timing.clone())
                .with_second_stage(profile.second_stage)
                .with_missing(profile.missing);
            match profile.numa {
                Some(numa) => {
                    let node = numa.node_of_pcpu(id, pcpus);
                    hart.with_local_memory(numa.addresses(node, BASE.0, frame_count))
                }
                None => hart,
            }
        };
        let pcpus = (0..pcpus).map(|id| Pcpu::new(hart(id))).collect();
        Ok(Self {
            profile,
            frame_count,
            frames,
            allocator,
            asids: AsidAllocator::for_spaces(),
            vmids: AsidAllocator::for_machines(),
            pcpus,
            interpreter: Interpreter::new(),
            vms: BTreeMap::new(),
            next_vm: 0,
            owner: None,
            deferred: VecDeque::new(),
            dirty: BTreeMap::new(),
            exit_paths: ExitPaths::default(),
            has_several: false,
            index: Index::default(),
            swap: SwapSpace::default(),
            awaited: BTreeMap::new(),
            audited: false,
        })
    }

    /// The number of pCPUs.
    pub fn pcpu_count(&self) -> usize {
        self.pcpus.len()
    }

    /// The number of frames.
    pub fn frame_count(&self) -> u64 {
        self.frame_count
    }

    /// The number of frames that nobody holds.
    pub fn free_frame_count(&self) -> u64 {
        self.frame_count - self.allocator.count() + self.allocator.free_count()
    }

    /// Compares what every VM reaches with who holds the frames, after each step of any: from now
    /// on, or no more. For tests.
    pub fn audit_steps(&mut self, audited: bool) {
        self.audited = audited;
    }

    /// Checks every access that a guest causes by a table of owners kept apart, from now on, and
    /// once in `copied_every` times that a guest executes, that nothing else has changed. A breach
    /// ends the run with [`HostError::ForeignFrame`]. For tests, on a host without VMs.
    pub fn guard_frames(&mut self, copied_every: u64) {
        let guard = Guard::new(BASE, self.allocator.count(), copied_every);
        self.frames.watch(Some(guard.clone()));
        self.allocator.watch(guard);
    }

    /// The accesses that guests were seen to cause since frames are guarded.
    pub fn seen_accesses(&self) -> Seen {
        self.allocator.guard().map(|guard| guard.seen()).unwrap_or_default()
    }

    /// What happens is done for a VM, until what is returned ends.
    fn act_for(&self, vm: VmId) -> Option<Acting> {
        self.allocator.guard().map(|guard| guard.act_for(vm))
    }

    /// Refuses to go on after a breach.
    fn check_guard(&self) -> Result<(), HostError> {
        let found = self.allocator.guard().and_then(|guard| guard.take_found());
        found.map_or(Ok(()), |breach| Err(HostError::ForeignFrame(breach)))
    }

    /// Compares what every VM reaches with who holds the frames.
    pub fn audit(&mut self, store: &mut PageStore) -> Result<(), HostError> {
        let memory = Memory { store, frames: &mut self.frames };
        for vm in self.vms.values_mut() {
            for vcpu in 0..vm.vcpus.len() {
                vm.technique.seat(vcpu);
                let checked = vm.technique.audit(&memory, &self.allocator, vm.id);
                checked.map_err(HostError::ForeignFrame)?;
            }
        }
        Ok(())
    }

    /// Makes every `every`-th reservation of frames fail once; 0 ends that. For tests.
    pub fn fail_frame_allocations(&mut self, every: u64) {
        self.allocator.fail_every(every);
    }

    /// Lets a VM find no more than bare metal has, where nobody records stolen time. For tests, which
    /// compare the two instruction by instruction.
    pub fn withhold_steal_time(&mut self, vm: VmId) {
        if let Some(vm) = self.vms.get_mut(&vm) {
            vm.mail.withhold_steal_time();
        }
    }

    /// What all vCPUs of a VM counted.
    pub fn counters(&self, vm: VmId) -> Result<VmCounters, HostError> {
        Ok(self.vm(vm)?.counters())
    }

    /// What one vCPU counted.
    pub fn vcpu_counters(&self, vcpu: VcpuId) -> Result<&VmCounters, HostError> {
        Ok(&self.vcpu(vcpu)?.counters)
    }

    /// Where the cycles of all vCPUs of a VM went.
    pub fn ledger(&self, vm: VmId) -> Result<Ledger, HostError> {
        Ok(self.vm(vm)?.ledger())
    }

    /// Where the cycles of one vCPU went.
    pub fn vcpu_ledger(&self, vcpu: VcpuId) -> Result<&Ledger, HostError> {
        Ok(&self.vcpu(vcpu)?.ledger)
    }

    /// Frames that a VM holds.
    pub fn frame_usage(&self, vm: VmId) -> Result<FrameUsage, HostError> {
        self.vm(vm).map(|vm| self.allocator.usage(vm.id))
    }

    /// Distinct pages of its memory that a guest has had.
    pub fn touched_pages(&self, vm: VmId) -> Result<u64, HostError> {
        let touched = self.vm(vm)?.technique.touched_pages();
        Ok(touched.unwrap_or(self.allocator.usage(vm).guest))
    }

    /// The frames that several pages of guests are in.
    pub fn shared_frames(&self) -> &SharedFrames {
        self.allocator.shared()
    }

    /// A VM's devices.
    pub fn board(&self, vm: VmId) -> Result<&Board, HostError> {
        Ok(&self.vm(vm)?.board)
    }

    /// Gives back everything that refers to the store. To be called before the host is dropped.
    pub fn release(&mut self, store: &mut PageStore) {
        for vm in self.vms.keys().copied().collect::<Vec<_>>() {
            self.forget_all_swapped(store, vm);
        }
        self.frames.release_all(store);
    }

    fn vm(&self, vm: VmId) -> Result<&Vm, HostError> {
        self.vms.get(&vm).ok_or(HostError::NoSuchVm(vm))
    }

    fn vcpu(&self, id: VcpuId) -> Result<&Vcpu, HostError> {
        self.vm(id.vm)?.vcpus.get(id.vcpu).ok_or(HostError::NoSuchVcpu(id))
    }

    fn vcpu_mut(&mut self, id: VcpuId) -> Result<&mut Vcpu, HostError> {
        self.vm_mut(id.vm)?.vcpus.get_mut(id.vcpu).ok_or(HostError::NoSuchVcpu(id))
    }

    fn vm_mut(&mut self, vm: VmId) -> Result<&mut Vm, HostError> {
        self.vms.get_mut(&vm).ok_or(HostError::NoSuchVm(vm))
    }
}

/// Taking a host apart for one step of one VM.
impl Host {
    /// The site of a vCPU on a pCPU, and its technique.
    fn site<'a>(
        &'a mut self,
        store: &'a mut PageStore,
        pcpu: usize,
        id: VcpuId,
    ) -> Result<(Site<'a>, &'a mut dyn Technique), HostError> {
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        let vm = self.vms.get_mut(&id.vm).ok_or(HostError::NoSuchVm(id.vm))?;
        let vcpu = vm.vcpus.get_mut(id.vcpu).ok_or(HostError::NoSuchVcpu(id))?;
        vm.technique.seat(id.vcpu);
        let site = Site {
            vm: id.vm,
            vcpu: id.vcpu,
            pcpu: processor,
            memory: Memory { store, frames: &mut self.frames },
            interpreter: &mut self.interpreter,
            allocator: &mut self.allocator,
            asids: &mut self.asids,
            vmids: &mut self.vmids,
            board: &mut vm.board,
            mail: &mut vm.mail,
            ledger: &mut vcpu.ledger,
            counters: &mut vcpu.counters,
            exit_paths: &self.exit_paths,
        };
        Ok((site, vm.technique.as_mut()))
    }
}
