//! All of a process-level machine's operating system: its processes, their memory and files.
//!
//! Whoever executes the program holds the registers of the thread that runs. It calls
//! [`Linux::call`], [`Linux::fault`] or [`Linux::raise`] for what the program did, and then
//! [`Linux::resume`], which delivers signals and chooses who runs next. Each of these may refuse for
//! want of a page; then nothing has changed and the same is done again.

mod life;
mod schedule;
mod signals;

use crate::abi::{Registers, numbers};
use crate::calls::Caller;
use crate::errno::{Errno, Stop};
use crate::files::NodeId;
use crate::files::descriptors::{Descriptor, Descriptors};
use crate::files::folder::Folder;
use crate::files::open::{Mode, Object, OpenFiles, Stream};
use crate::files::tree::{ROOT, Tree};
use crate::hardware::{Access, Hardware, PageNumber, Rights, SpaceId, Unavailable, Work};
use crate::limits::Limits;
use crate::memory::spaces::{MemoryFault, Spaces};
use crate::process::futex::Futexes;
use crate::process::{ExitStatus, Id, Process, State, Thread};
use crate::signal::{Actions, Info, Origin, Pending, SignalSet, code, handler, number};
use std::collections::{BTreeMap, VecDeque};

/// What a machine is started with.
#[derive(Debug)]
pub struct Start {
    /// The file tree; an empty one without.
    pub folder: Option<Folder>,
    /// Whether the program may write files, which are gone afterwards.
    pub writable: bool,
    /// The directory that it begins in.
    pub directory: Vec<u8>,
    /// What it can read from its input.
    pub input: Vec<u8>,
    /// Whether more may come ([`Linux::give_input`]).
    pub input_open: bool,
    /// What it may use.
    pub limits: Limits,
    /// For what programs ask as random.
    pub seed: u64,
}

/// What the first process executes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirstProgram {
    /// The path in the tree.
    pub path: Vec<u8>,
    /// Its arguments, the first of which is its name.
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=value`.
    pub environment: Vec<Vec<u8>>,
}

/// What comes next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// The program goes on with the registers as they are now.
    Run,
    /// All threads wait, until this time at the latest.
    Idle(Option<u64>),
    /// The first process has ended, and with it all.
    Ended(ExitStatus),
}

/// What a page fault means.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The page is here, and the program may do this with it.
    Page(PageNumber, Rights),
    /// The program must not do that: it gets a signal.
    Signal,
}

/// The first process.
const FIRST: Id = Id(1);

/// The operating system.
#[derive(Debug)]
pub struct Linux {
    pub(crate) spaces: Spaces,
    pub(crate) tree: Tree,
    pub(crate) open: OpenFiles,
    pub(crate) processes: BTreeMap<Id, Process>,
    pub(crate) threads: BTreeMap<Id, Thread>,
    pub(crate) futexes: Futexes,
    pub(crate) limits: Limits,
    pub(crate) random: u64,
    /// Whose registers are outside.
    pub(crate) current: Option<Id>,
    /// Threads that want to run, in order.
    ready: VecDeque<Id>,
    next_id: u32,
    ended: Option<ExitStatus>,
    calls: BTreeMap<&'static str, u64>,
    unknown_calls: BTreeMap<u64, u64>,
    /// Why the first process has no program.
    start_error: Option<Errno>,
}

impl Linux {
    /// A machine whose first process has no program yet.
    pub fn new(start: Start) -> Result<Self, Errno> {
        let limits = start.limits;
        let mut linux = Self {
            spaces: Spaces::new(limits.pages),
            tree: Tree::new(start.folder, start.writable, limits.written_bytes)?,
            open: OpenFiles::default(),
            processes: BTreeMap::new(),
            threads: BTreeMap::new(),
            futexes: Futexes::default(),
            limits,
            random: start.seed,
            current: Some(FIRST),
            ready: VecDeque::new(),
            next_id: FIRST.0 + 1,
            ended: None,
            calls: BTreeMap::new(),
            unknown_calls: BTreeMap::new(),
            start_error: None,
        };
        linux.open.input = start.input.into();
        linux.open.input_ends = !start.input_open;
        let directory = linux.tree.find_directory(ROOT, &start.directory)?;
        linux.add_first(directory);
        Ok(linux)
    }

    /// Lets the first process execute a program: the registers are then those with which it
    /// begins.
    pub fn load(
        &mut self,
        hardware: &mut dyn Hardware,
        registers: &mut Registers,
        program: &FirstProgram,
    ) -> Result<(), Stop> {
        let mut caller = Caller { linux: self, hardware, thread: FIRST, registers };
        let FirstProgram { path, arguments, environment } = program;
        let loaded = crate::calls::execute::execute(&mut caller, path, arguments, environment);
        if let Err(Stop::Error(errno)) = &loaded {
            self.start_error = Some(*errno);
        }
        loaded
    }

    fn add_first(&mut self, directory: NodeId) {
        let mut descriptors = Descriptors::default();
        for (number, stream) in
            [Stream::Input, Stream::Output, Stream::Error].into_iter().enumerate()
        {
            let read = stream == Stream::Input;
            let mode = Mode { read, write: !read, ..Mode::default() };
            let open = self.open.open(&mut self.tree, Object::Console(stream), mode);
            descriptors.put(number as u32, Descriptor { open, closes_on_exec: false });
        }
        let process = Process {
            parent: None,
            group: FIRST,
            session: FIRST,
            space: self.spaces.create(),
            descriptors,
            directory,
            umask: 0o022,
            actions: Actions::default(),
            pending: Pending::default(),
            threads: 1,
            ended: None,
            borrows_memory: false,
            alarm: None,
            name: Vec::new(),
        };
        self.tree.hold(directory);
        self.processes.insert(FIRST, process);
        self.threads.insert(FIRST, new_thread(FIRST, Registers::default()));
    }

    /// What the program wrote to its console since the last call, in order.
    pub fn take_output(&mut self) -> Vec<(Stream, Vec<u8>)> {
        std::mem::take(&mut self.open.output)
    }

    /// Gives the program something to read from its input; nothing will follow if it `ends`.
    pub fn give_input(&mut self, bytes: &[u8], ends: bool) {
        self.open.input.extend(bytes);
        self.open.input_ends |= ends;
        self.open.input_was_missed = false;
    }

    /// Whether the program has found its input empty, and more may come.
    pub fn wants_input(&self) -> bool {
        let is_out = self.open.input.is_empty() && !self.open.input_ends;
        is_out && (self.open.input_was_missed || self.waits_for_input())
    }

    /// Why the first program could not be loaded.
    pub fn start_error(&self) -> Option<Errno> {
        self.start_error
    }

    /// Calls that were made, by name.
    pub fn calls(&self) -> &BTreeMap<&'static str, u64> {
        &self.calls
    }

    /// Calls that there are not, by number.
    pub fn unknown_calls(&self) -> &BTreeMap<u64, u64> {
        &self.unknown_calls
    }

    /// Where a page is shown: the address spaces, and the addresses there.
    pub fn places_of(&self, page: PageNumber) -> Vec<(SpaceId, u64)> {
        self.spaces.places_of(page)
    }

    /// Pages of memory that were ever in use.
    pub fn touched_pages(&self) -> u32 {
        self.spaces.touched_pages()
    }

    /// The thread that runs.
    pub fn thread(&self) -> Option<Id> {
        self.current
    }

    /// The address space that the program that runs is in.
    pub fn space(&self) -> Option<SpaceId> {
        let thread = self.threads.get(&self.current?)?;
        self.processes.get(&thread.process).map(|process| process.space)
    }

    // What the program does.

    /// The program made a call.
    pub fn call(
        &mut self,
        hardware: &mut dyn Hardware,
        registers: &mut Registers,
    ) -> Result<(), Unavailable> {
        let Some(thread) = self.current else { return Ok(()) };
        hardware.account(Work::Lookups(1));
        let (call, arguments) = registers.call();
        let found = numbers::find(call);
        let stop = match found {
            Some((_, handler)) => {
                handler(&mut Caller { linux: self, hardware, thread, registers }, &arguments)
            }
            None => Err(Errno::NoCall.into()),
        };
        if let Err(Stop::Unavailable(unavailable)) = stop {
            return Err(unavailable);
        }
        if !matches!(stop, Err(Stop::Wait(_))) {
            self.count(call, found.map(|(name, _)| name));
        }
        self.finish(thread, registers, stop);
        Ok(())
    }

    fn count(&mut self, number: u64, name: Option<&'static str>) {
        let count = match name {
            Some(name) => self.calls.entry(name).or_default(),
            // What a hostile program may add here is bounded.
            None if self.unknown_calls.len() >= 1024 => return,
            None => self.unknown_calls.entry(number).or_default(),
        };
        *count += 1;
    }

    fn finish(&mut self, id: Id, registers: &mut Registers, stop: Result<u64, Stop>) {
        match stop {
            Ok(value) => registers.finish_call(value),
            Err(Stop::Error(errno)) => registers.finish_call((-i64::from(errno as u16)) as u64),
            Err(Stop::Wait(wait)) => {
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.state = State::Waiting(wait);
                }
                return;
            }
            Err(Stop::Elsewhere | Stop::Unavailable(_)) => {}
        }
        if let Some(thread) = self.threads.get_mut(&id) {
            thread.deadline_ns = None;
        }
    }

    /// The program accessed an address that has no translation.
    pub fn fault(
        &mut self,
        hardware: &mut dyn Hardware,
        address: u64,
        access: Access,
    ) -> Result<Fault, Unavailable> {
        let Some(space) = self.space() else { return Ok(Fault::Signal) };
        let found = self.spaces.fault(hardware, &self.tree, space, address, access);
        let (signal, code) = match found {
            Ok((page, rights)) => return Ok(Fault::Page(page, rights)),
            Err(MemoryFault::Unavailable(unavailable)) => return Err(unavailable),
            Err(MemoryFault::Unmapped) => (number::SEGV, code::NOT_MAPPED),
            Err(MemoryFault::Forbidden) => (number::SEGV, code::NOT_ALLOWED),
            Err(MemoryFault::Exhausted) => (number::KILL, code::KERNEL),
        };
        self.raise(signal, code, address);
        Ok(Fault::Signal)
    }

    /// The program did what its processor refuses: a signal that cannot be held back or ignored.
    pub fn raise(&mut self, signal: u32, code: i32, address: u64) {
        let Some(id) = self.current else { return };
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let held = thread.mask.contains(signal);
        thread.mask = thread.mask.without(SignalSet::of(signal));
        let info = Info { code, origin: Origin::Address(address), status: 0 };
        thread.pending.add(signal, info);
        let process = thread.process;
        if let Some(process) = self.processes.get_mut(&process)
            && (held || process.actions.get(signal).handler == handler::IGNORE)
        {
            process.actions.set(signal, crate::signal::Action::default());
        }
    }

    /// The thread that runs has had its turn.
    pub fn preempt(&mut self, registers: &Registers) {
        if let Some(id) = self.current.take()
            && let Some(thread) = self.threads.get_mut(&id)
        {
            thread.registers = registers.clone();
            self.ready.push_back(id);
        }
    }

    /// Whether anyone else wants to run.
    pub fn is_contended(&self) -> bool {
        !self.ready.is_empty()
    }
}

/// A thread that is about to run for the first time.
pub(crate) fn new_thread(process: Id, registers: Registers) -> Thread {
    Thread {
        process,
        registers,
        state: State::Ready,
        mask: SignalSet::default(),
        mask_after: None,
        pending: Pending::default(),
        clears_id: 0,
        signal_stack: (0, 0),
        deadline_ns: None,
    }
}
