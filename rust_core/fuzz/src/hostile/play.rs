//! One hostile guest beside its neighbour, from beginning to end.
//!
//! The host checks every access ([`Host::guard_frames`]). Beside that, the neighbour must come to
//! its result in its time, its memory must be as if it had been alone, and while it is on no pCPU
//! nothing of it may change; and when both are gone, nothing of them may be left.

use super::cell::Cell;
use super::kernel;
use super::layout::{HOST_BYTES, MEMORY_BYTES};
use super::neighbour::Neighbour;
use super::pressure::Pressure;
use crate::random::Random;
use dcsim_machine::test_utils::elf_with_section;
use dcsim_machine::{DiskImage, IoStatus, RequestTag};
use dcsim_memory::{PageId, PageStore, Use};
use dcsim_monitor::TechniqueKind::BinaryTranslation;
use dcsim_monitor::config::LARGE_PAGE_BYTES;
use dcsim_monitor::cpu_state::CpuState;
use dcsim_monitor::paravirtual::abi::NOTE_SECTION;
use dcsim_monitor::{
    Exit, ExitKind, ExitReason, Host, HostError, MarkUpdates, PagingKind, VcpuId, VmConfig, VmId,
    VmState,
};

/// How long a disk request takes.
const DISK_NS: u64 = 3_000;
/// Of how many times that a guest executes one is compared with copies.
const COPIED_EVERY: u64 = 256;
/// A guest that executes less than this in such a time will do nothing more.
const LOST_NS: u64 = 16_000;
const LOST_INSTRUCTIONS: u64 = 8;
/// The same for exits: one is that it was put on a pCPU.
const LOST_EXITS: u64 = 2;
/// The most vCPUs that a guest has.
const MOST_VCPUS: u64 = 4;
/// How long a neighbour may take beyond what a multiple of its time alone is.
const PATIENCE_NS: u64 = 2_000_000;

/// What is played.
#[derive(Copy, Clone, Debug)]
pub struct Plan {
    /// Under what.
    pub cell: Cell,
    /// With which kernel, and in which circumstances.
    pub seed: u64,
    /// How long, in simulated time of the hostile guest's.
    pub length_ns: u64,
    /// Every access is checked.
    pub guarded: bool,
}

/// What came of it. Nothing but counts that differ if an access went elsewhere.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// Instructions of the hostile guest.
    pub instructions: u64,
    /// Its exits.
    pub exits: Vec<(ExitReason, u64)>,
    /// Cycles of both guests.
    pub cycles: u64,
    /// A digest of its registers and memory in the end, if it could be saved.
    pub digest: Option<u64>,
    /// Of each use, the accesses that were checked.
    pub seen: [u64; Use::ALL.len()],
}

/// A configuration for a guest of this cell.
pub fn configuration(cell: Cell, memory_bytes: u64) -> VmConfig {
    VmConfig {
        name: "guest".to_owned(),
        technique: cell.technique,
        paging: cell.paging,
        mark_updates: MarkUpdates::Hardware,
        memory_bytes,
        vcpus: 1,
        bootargs: String::new(),
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

/// An image as it is handed to a monitor: one that knows the paravirtual interface tells so.
pub fn announce(image: Vec<u8>, paravirtual: bool) -> Vec<u8> {
    if paravirtual { elf_with_section(&image, NOTE_SECTION) } else { image }
}

/// A digest of what a guest has computed.
pub fn registers_and_pages(state: &VmState, store: &PageStore) -> u64 {
    let mix =
        |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let of = |cpu: &CpuState| [cpu.pc, cpu.instructions].into_iter().chain(cpu.x);
    let registers = std::iter::once(&state.cpu).chain(&state.others).flat_map(of);
    let mut hash = registers.fold(1, mix);
    for (number, page) in state.pages.iter().enumerate().filter(|(_, page)| **page != PageId::ZERO)
    {
        hash = mix(hash, number as u64);
        let words = store.page(*page).as_chunks::<8>().0;
        hash = words.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    }
    hash
}

/// The circumstances of a play, all of them drawn from the seed.
struct Circumstances {
    pcpus: usize,
    host_bytes: u64,
    config: VmConfig,
    neighbour: Neighbour,
    audited: bool,
    failing_every: u64,
}

impl Circumstances {
    fn draw(random: &mut Random, cell: Cell, neighbours: &[Neighbour]) -> Self {
        let has_large_pages = matches!(cell.paging, PagingKind::Nested | PagingKind::Direct);
        let large_pages = has_large_pages && random.once_in(6);
        let memory_bytes = if large_pages { 2 * LARGE_PAGE_BYTES } else { MEMORY_BYTES };
        let is_several = cell.runs_several() && random.once_in(2);
        let vcpus = if is_several { 2 + random.below(MOST_VCPUS - 1) as usize } else { 1 };
        let marks = [MarkUpdates::Hardware, MarkUpdates::Hardware, MarkUpdates::Fault];
        let config = VmConfig {
            network: !random.once_in(4),
            console: !random.once_in(4),
            balloon: cell.paging != PagingKind::Direct && !large_pages,
            free_page_reporting: cell.paging != PagingKind::Direct && !large_pages,
            large_pages,
            translate_user: cell.technique == BinaryTranslation && random.once_in(3),
            mark_updates: random.pick(&marks),
            vcpus,
            ..configuration(cell, memory_bytes)
        };
        Self {
            pcpus: 1 + random.below(if is_several { 3 } else { 2 }) as usize,
            host_bytes: if random.once_in(6) { HOST_BYTES / 2 } else { HOST_BYTES },
            config,
            neighbour: neighbours[random.below(neighbours.len() as u64) as usize].clone(),
            audited: random.once_in(200),
            // A step that makes a whole round of attempts would never get through.
            failing_every: if random.once_in(8) { random.pick(&[7, 11, 13]) } else { 0 },
        }
    }
}

/// A guest of the play.
#[derive(Copy, Clone, Debug)]
struct Player {
    vm: VmId,
    vcpus: usize,
    /// It has ended itself.
    is_over: bool,
    /// Time that it had a pCPU.
    used_ns: u64,
}

struct Play<'a> {
    store: &'a mut PageStore,
    host: Host,
    random: Random,
    pressure: Pressure,
    now_ns: u64,
    hostile: Player,
    neighbour: Player,
    pending: Vec<(u64, RequestTag)>,
    /// When somebody types on the hostile guest's console.
    typing_ns: Option<u64>,
    /// Frames are missing: one guest after the other, on one pCPU.
    is_crowded: bool,
}

#[allow(clippy::needless_pass_by_value, reason = "used with map_err")]
fn text(error: HostError) -> String {
    error.to_string()
}

/// The same kernel meets other circumstances in each cell.
fn circumstance_seed(plan: Plan) -> u64 {
    let name = plan.cell.to_string();
    let cell = name.bytes().fold(0, |hash: u64, byte| hash.wrapping_mul(257) + u64::from(byte));
    plan.seed ^ cell.rotate_left(32)
}

/// Plays. What is not as it has to be is the error.
pub fn play(
    store: &mut PageStore,
    plan: Plan,
    neighbours: &[Neighbour],
) -> Result<Outcome, String> {
    let mut random = Random::new(circumstance_seed(plan));
    let circumstances = Circumstances::draw(&mut random, plan.cell, neighbours);
    let length_ns = if circumstances.audited { plan.length_ns / 8 } else { plan.length_ns };
    let plan = Plan { length_ns, ..plan };
    let mut play = Play::begin(store, plan, random, &circumstances).map_err(text)?;
    let outcome = play.run(plan, &circumstances.neighbour);
    if outcome.is_err() {
        play.host.release(play.store);
    }
    outcome
}

impl<'a> Play<'a> {
    fn begin(
        store: &'a mut PageStore,
        plan: Plan,
        random: Random,
        circumstances: &Circumstances,
    ) -> Result<Self, HostError> {
        let Circumstances { pcpus, host_bytes, config, neighbour, audited, failing_every } =
            circumstances;
        let mut host = Host::new(plan.cell.hardware(), *pcpus, *host_bytes)?;
        if plan.guarded {
            host.guard_frames(COPIED_EVERY);
        }
        host.audit_steps(*audited);
        let paravirtual = plan.cell.technique.needs_interface();
        let image = announce(kernel::image(plan.seed, plan.cell), paravirtual);
        let player = |vm, vcpus| Player { vm, vcpus, is_over: false, used_ns: 0 };
        let disk = Some(DiskImage::new(64 * 1024));
        let vm = host.create_vm(store, config.clone(), &image, disk)?;
        let hostile = player(vm, config.vcpus);
        let Neighbour { cell, image, .. } = neighbour;
        let config = configuration(*cell, MEMORY_BYTES);
        let neighbour = player(host.create_vm(store, config, image, None)?, 1);
        host.fail_frame_allocations(*failing_every);
        Ok(Self {
            store,
            host,
            random,
            pressure: Pressure::new(circumstance_seed(plan)),
            now_ns: 0,
            hostile,
            neighbour,
            pending: Vec::new(),
            typing_ns: None,
            is_crowded: false,
        })
    }

    fn run(&mut self, plan: Plan, neighbour: &Neighbour) -> Result<Outcome, String> {
        while !self.hostile.is_over && self.hostile.used_ns < plan.length_ns {
            let (instructions, exits) = self.progress()?;
            let slice_ns = self.take_turns()?;
            self.host.count_frames(self.store).map_err(text)?;
            let now = self.progress()?;
            let (host, guests) = (&mut self.host, [self.hostile.vm, self.neighbour.vm]);
            self.pressure.act(host, self.store, guests).map_err(text)?;
            // Nothing but traps, one in the other, or none: it has lost itself, or waits for ever.
            let is_lost = now.0 < instructions + LOST_INSTRUCTIONS
                || now.1 < exits + LOST_EXITS * self.hostile.vcpus as u64;
            self.hostile.is_over |= is_lost && slice_ns >= LOST_NS;
        }
        let outcome = self.outcome()?;
        self.finish_neighbour(neighbour)?;
        self.end()?;
        Ok(outcome)
    }

    /// Both have a pCPU of their own, or one after the other the only one.
    fn take_turns(&mut self) -> Result<u64, String> {
        let slice_ns = 1_000 << self.random.below(6);
        let (hostile, neighbour) = (self.hostile.vm, self.neighbour.vm);
        if self.host.pcpu_count() > 1 && !self.is_crowded {
            self.run_for(&[hostile, neighbour], slice_ns)?;
        } else {
            self.run_undisturbed(hostile, neighbour, slice_ns)?;
            self.run_for(&[neighbour], slice_ns)?;
            self.is_crowded = false;
        }
        Ok(slice_ns)
    }

    /// Instructions and exits of the hostile guest so far.
    fn progress(&self) -> Result<(u64, u64), String> {
        let counters = self.host.counters(self.hostile.vm).map_err(text)?;
        Ok((counters.instructions(), counters.exits().map(|(_, count)| count).sum()))
    }

    /// Runs one guest; of the other nothing may change meanwhile.
    fn run_undisturbed(&mut self, vm: VmId, other: VmId, slice_ns: u64) -> Result<(), String> {
        let before = if self.random.once_in(16) { self.digest(other)? } else { None };
        self.run_for(&[vm], slice_ns)?;
        if before.is_some() && before != self.digest(other)? {
            return Err(format!("{other} changed while {vm} ran"));
        }
        Ok(())
    }

    /// A digest of a VM on no pCPU, if its devices are at rest.
    fn digest(&mut self, vm: VmId) -> Result<Option<u64>, String> {
        match self.host.save_vm(self.store, vm) {
            Ok(mut state) => {
                let digest = registers_and_pages(&state, self.store);
                state.release(self.store);
                Ok(Some(digest))
            }
            Err(HostError::Refused(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Puts guests on pCPUs and lets them run for a time.
    fn run_for(&mut self, vms: &[VmId], slice_ns: u64) -> Result<(), String> {
        let vcpus = self.seat(vms);
        for (pcpu, vcpu) in vcpus.iter().enumerate() {
            self.host.load(self.store, pcpu, *vcpu, self.now_ns).map_err(text)?;
        }
        let end_ns = self.now_ns + slice_ns;
        if self.random.once_in(2) {
            self.typing_ns = Some(self.now_ns + slice_ns / 2);
        }
        while self.now_ns < end_ns {
            self.complete_requests()?;
            self.type_something()?;
            let events = self.pending.iter().map(|(done, _)| *done).chain(self.typing_ns);
            let until_ns = events.min().map_or(end_ns, |next| next.clamp(self.now_ns + 1, end_ns));
            let exit = self.host.run(self.store, until_ns).map_err(text)?;
            if !self.serve(exit)? {
                break;
            }
        }
        for pcpu in 0..vcpus.len() {
            self.now_ns = self.now_ns.max(self.host.local_time_ns(pcpu).map_err(text)?);
            self.host.unload(self.store, pcpu).map_err(text)?;
        }
        for vm in vms {
            self.player(*vm).used_ns += slice_ns;
        }
        Ok(())
    }

    /// Chooses vCPUs for all pCPUs: one of each guest, then others of the first one.
    fn seat(&mut self, vms: &[VmId]) -> Vec<VcpuId> {
        let first = *self.player(vms[0]);
        let drawn =
            if first.vcpus > 1 { self.random.below(first.vcpus as u64) as usize } else { 0 };
        let nth = |number: usize| (first.vm, (drawn + number) % first.vcpus).into();
        let others = vms[1..].iter().map(|vm| (*vm).into());
        let more = (1..first.vcpus).map(nth);
        let seated = std::iter::once(nth(0)).chain(others).chain(more);
        seated.take(self.host.pcpu_count()).collect()
    }

    fn player(&mut self, vm: VmId) -> &mut Player {
        if vm == self.neighbour.vm { &mut self.neighbour } else { &mut self.hostile }
    }

    /// Serves an exit. `false`: frames are missing, which a guest that rests can give up.
    fn serve(&mut self, exit: Exit) -> Result<bool, String> {
        self.now_ns = self.now_ns.max(exit.time_ns);
        let Some(vm) = exit.vm else { return Ok(true) };
        let is_neighbour = vm == self.neighbour.vm;
        match exit.kind {
            ExitKind::Io { tag, .. } => self.pending.push((exit.time_ns + DISK_NS, tag)),
            ExitKind::Packet { payload } => {
                let host = &mut self.host;
                host.deliver_packet(self.store, vm, &payload, exit.time_ns).map_err(text)?;
                host.console_input(self.store, vm, &payload).map_err(text)?;
            }
            ExitKind::Shutdown { code: 0 } => self.player(vm).is_over = true,
            ExitKind::Shutdown { .. } | ExitKind::Fault { .. } if is_neighbour => {
                return Err(format!("the neighbour ended with {:?}", exit.kind));
            }
            ExitKind::Shutdown { .. } | ExitKind::Fault { .. } => self.hostile.is_over = true,
            ExitKind::Memory => {
                self.is_crowded = true;
                return Ok(false);
            }
            ExitKind::SwapIn { page } => {
                let (host, store) = (&mut self.host, &mut *self.store);
                if !self.pressure.bring_back(host, store, vm, page).map_err(text)? {
                    self.is_crowded = true;
                    return Ok(false);
                }
            }
            ExitKind::Balloon { .. }
            | ExitKind::Wait { .. }
            | ExitKind::Scarce
            | ExitKind::Wake { .. }
            | ExitKind::Spin { .. }
            | ExitKind::Until => {}
        }
        Ok(true)
    }

    /// Types on the hostile guest's console, while it runs mostly.
    fn type_something(&mut self) -> Result<(), String> {
        if self.typing_ns.is_some_and(|typing| typing <= self.now_ns) {
            self.typing_ns = None;
            let hostile = self.hostile.vm;
            self.host.console_input(self.store, hostile, b"typed").map_err(text)?;
        }
        Ok(())
    }

    fn complete_requests(&mut self) -> Result<(), String> {
        let now_ns = self.now_ns;
        while let Some(index) = self.pending.iter().position(|(done, _)| *done <= now_ns) {
            let (_, tag) = self.pending.remove(index);
            let status = self.random.pick(&[IoStatus::Done, IoStatus::Done, IoStatus::Failed]);
            let vm = self.hostile.vm;
            self.host.complete_io(self.store, vm, tag, now_ns, status).map_err(text)?;
        }
        Ok(())
    }

    fn outcome(&mut self) -> Result<Outcome, String> {
        let vm = self.hostile.vm;
        let digest = self.digest(vm)?;
        let ledger = self.host.ledger(vm).map_err(text)?;
        ledger.verify().map_err(|error| error.to_string())?;
        let counters = self.host.counters(vm).map_err(text)?;
        let seen = self.host.seen_accesses();
        Ok(Outcome {
            instructions: counters.instructions(),
            exits: counters.exits().collect(),
            cycles: ledger.causes().iter().map(|(_, cycles)| cycles).sum(),
            digest,
            seen: Use::ALL.map(|purpose| seen.count(purpose)),
        })
    }

    /// The neighbour comes to its end, in its time, and to what it comes to alone.
    fn finish_neighbour(&mut self, neighbour: &Neighbour) -> Result<(), String> {
        let vm = self.neighbour.vm;
        let patience_ns = 4 * neighbour.alone_ns + PATIENCE_NS;
        while !self.player(vm).is_over {
            if self.player(vm).used_ns > patience_ns {
                let counters = self.host.counters(vm).map_err(text)?;
                return Err(format!(
                    "the neighbour ({}) has stopped: {counters:?}",
                    neighbour.cell
                ));
            }
            self.run_for(&[vm], 50_000)?;
        }
        match self.digest(vm)? {
            Some(digest) if digest == neighbour.digest => Ok(()),
            other => Err(format!("the neighbour ({}) came to {other:x?}", neighbour.cell)),
        }
    }

    /// Both go, and nothing is left of them.
    fn end(&mut self) -> Result<(), String> {
        for player in [self.hostile, self.neighbour] {
            self.host.destroy_vm(self.store, player.vm).map_err(text)?;
        }
        if self.host.free_frame_count() != self.host.frame_count() {
            return Err("frames are left behind".to_owned());
        }
        self.host.release(self.store);
        match self.store.used_bytes() {
            0 => Ok(()),
            bytes => Err(format!("{bytes} bytes of pages are left behind")),
        }
    }
}
