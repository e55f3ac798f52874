//! A pCPU, a host's memory and a board, for tests of one vCPU without a host.

use super::{Offer, Paravirtual, create};
use crate::allocator::{FrameAllocator, FrameOwner};
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::exit_paths::ExitPaths;
use crate::guest_pages::{GuestPages, PageMap, map_frames};
use crate::ids::VmId;
use crate::ledger::Ledger;
use crate::mail::Mail;
use crate::pcpu::Pcpu;
use crate::shadow::asid::AsidAllocator;
use crate::shadow::tree::TableFrames;
use crate::technique::Site;
use dcsim_hart::engine::Interpreter;
use dcsim_hart::{Hart, IsaProfile, Timing};
use dcsim_machine::board::map::MEMORY_BASE;
use dcsim_machine::firmware::FirmwareConfig;
use dcsim_machine::{Board, BoardConfig};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};

pub const VM: VmId = VmId(1);

/// What a vCPU needs around it.
pub struct World {
    pub store: PageStore,
    pub frames: Frames,
    pub allocator: FrameAllocator,
    pub asids: AsidAllocator,
    pub vmids: AsidAllocator,
    pub pcpu: Pcpu,
    pub interpreter: Interpreter,
    pub board: Board,
    pub mail: Mail,
    pub ledger: Ledger,
    pub counters: VmCounters,
    pub exit_paths: ExitPaths,
}

impl World {
    /// A host with `frames` frames for a VM with this board.
    pub fn new(frames: u64, board: &BoardConfig) -> Self {
        Self {
            store: PageStore::new(1 << 26),
            frames: Frames::new(PhysicalAddress(MEMORY_BASE), frames),
            allocator: FrameAllocator::new(PhysicalAddress(MEMORY_BASE), frames),
            asids: AsidAllocator::for_spaces(),
            vmids: AsidAllocator::for_machines(),
            pcpu: Pcpu::new(Hart::new(0, IsaProfile::Rv64gc, Timing::uniform())),
            interpreter: Interpreter::new(),
            board: Board::new(board),
            mail: Mail::new([true]),
            ledger: Ledger::default(),
            counters: VmCounters::default(),
            exit_paths: ExitPaths::default(),
        }
    }

    /// A guest with `pages` pages, which `fill` may write.
    pub fn guest(
        &mut self,
        isa: IsaProfile,
        pages: u64,
        fill: impl FnOnce(&mut GuestPages<'_>) -> CpuState,
    ) -> Paravirtual {
        let owner = FrameOwner::Monitor { vm: VM };
        let tables = (0..map_frames(pages)).map(|_| self.allocator.allocate(owner).unwrap());
        let map = PageMap::new(MEMORY_BASE, pages, tables.collect());
        let memory = Memory { store: &mut self.store, frames: &mut self.frames };
        let allocator = &mut self.allocator;
        let state = fill(&mut GuestPages { memory, allocator, map: &map, vm: VM });
        let mut memory = Memory { store: &mut self.store, frames: &mut self.frames };
        let mut frames = TableFrames { allocator: &mut self.allocator, vm: VM };
        let offer = Offer { isa, large_pages: false, firmware: FirmwareConfig::default() };
        create(&mut memory, &mut frames, state, map, &offer).unwrap()
    }

    /// The site of the guest's steps.
    pub fn site(&mut self) -> Site<'_> {
        Site {
            vcpu: 0,
            vm: VM,
            pcpu: &mut self.pcpu,
            memory: Memory { store: &mut self.store, frames: &mut self.frames },
            interpreter: &mut self.interpreter,
            allocator: &mut self.allocator,
            asids: &mut self.asids,
            vmids: &mut self.vmids,
            board: &mut self.board,
            mail: &mut self.mail,
            ledger: &mut self.ledger,
            counters: &mut self.counters,
            exit_paths: &self.exit_paths,
        }
    }

    /// The host's memory.
    pub fn memory(&mut self) -> Memory<'_> {
        Memory { store: &mut self.store, frames: &mut self.frames }
    }
}
