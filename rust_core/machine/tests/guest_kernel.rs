//! The repository's own guest kernel on a bare machine: the acceptance test of the whole crate.
//!
//! Expected results are those that the same image gives on QEMU's `virt` machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use dcsim_machine::{
    BoardConfig, DeviceRequest, DiskImage, IoStatus, Machine, MachineConfig, MachineStop, Persist,
    PowerEvent, RequestTag,
};
use dcsim_memory::PageStore;
use std::collections::BTreeMap;

const KERNEL: &[u8] = include_bytes!("../../../dcsim/guest/images/kernel.elf");

const DISK_CYCLES: u64 = 100_000;
const END_CYCLES: u64 = 2_000_000_000;

/// A machine with its kernel, a disk that takes 100 microseconds, and packets to deliver.
struct World {
    machine: Machine,
    store: PageStore,
    now: u64,
    disk: BTreeMap<u64, Vec<RequestTag>>,
    arriving: BTreeMap<u64, Vec<u8>>,
    sent: Vec<Vec<u8>>,
    console: String,
}

impl World {
    fn new(bootargs: &str) -> Self {
        Self::on(BoardConfig::default(), bootargs)
    }

    /// A world whose machine has a virtio console too.
    fn with_virtio_console(bootargs: &str) -> Self {
        Self::on(BoardConfig { console: true, ..BoardConfig::default() }, bootargs)
    }

    fn on(board: BoardConfig, bootargs: &str) -> Self {
        let board = BoardConfig {
            ram_bytes: 16 << 20,
            disk: Some(DiskImage::new(4 << 20)),
            network: true,
            ..board
        };
        let machine = Machine::new(MachineConfig { board, ..MachineConfig::default() });
        let mut world = Self {
            machine,
            store: PageStore::new(128 << 20),
            now: 0,
            disk: BTreeMap::new(),
            arriving: BTreeMap::new(),
            sent: Vec::new(),
            console: String::new(),
        };
        world.machine.boot(&mut world.store, KERNEL, bootargs).unwrap();
        world
    }

    /// Runs up to a cycle; events of disk and network happen on their cycles.
    fn run(&mut self, until: u64) -> Option<PowerEvent> {
        loop {
            let events = [self.disk.keys().next(), self.arriving.keys().next()];
            let next = events.into_iter().flatten().min().copied().unwrap_or(until).min(until);
            let stop = self.machine.run(&mut self.store, next);
            let output = self.machine.board_mut().console_output();
            self.console.push_str(&String::from_utf8_lossy(&output));
            match stop {
                MachineStop::Deadline => self.now = next,
                MachineStop::Requests => self.take_requests(),
                MachineStop::Power(event) => return Some(event),
                MachineStop::StoreFull => panic!("the page store is full"),
            }
            self.deliver();
            if self.now >= until {
                return None;
            }
        }
    }

    fn take_requests(&mut self) {
        let done = self.machine.now_cycles() + DISK_CYCLES;
        for request in self.machine.take_requests() {
            match request {
                DeviceRequest::Block { tag, .. }
                | DeviceRequest::Flush { tag }
                | DeviceRequest::Discard { tag, .. }
                | DeviceRequest::Balloon { tag, .. } => {
                    self.disk.entry(done).or_default().push(tag);
                }
                DeviceRequest::PacketSent { bytes } => self.sent.push(bytes),
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.disk.first_entry().filter(|entry| *entry.key() <= self.now) {
            for tag in entry.remove() {
                self.machine.complete(&mut self.store, tag, IoStatus::Done).unwrap();
            }
        }
        while let Some(entry) = self.arriving.first_entry().filter(|e| *e.key() <= self.now) {
            assert!(self.machine.receive_packet(&mut self.store, &entry.remove()).unwrap());
        }
    }

    /// Runs until the machine switches itself off with the code 0.
    fn finish(&mut self) {
        assert_eq!(self.run(END_CYCLES), Some(PowerEvent::Off { code: 0 }), "{}", self.console);
    }

    /// Everything that can be seen of the machine, and what it has said.
    fn picture(&mut self) -> (String, Vec<u8>, String) {
        let hart = self.machine.hart(0).unwrap();
        let (x, f, csrs, clock) = (&hart.x, &hart.f, &hart.csrs, &hart.clock);
        let text = format!("{:x} {x:?} {f:?} {csrs:?} {clock:?} {:?}", hart.pc, hart.counters);
        let board = self.machine.board().save();
        (text, board.encode(), self.console.clone())
    }
}

#[test]
fn programs_give_the_results_that_they_give_elsewhere() {
    for (program, result) in [
        ("integer", "result integer iterations=100 crc=c43552fa"),
        ("float", "result float steps=1000 hash=b0f67e22a550b486"),
        ("chase", "result chase slots=1024 steps=100000 end=413"),
        ("files", "result files files=8 size=10000 hash=9224f00bbf93b8b7"),
        ("faults", "result faults n=20 pages=64 zero=1280"),
    ] {
        let mut world = World::new(&format!("init={program}"));
        world.finish();
        assert!(world.console.contains(result), "{}", world.console);
        assert!(world.console.trim_end().ends_with("kernel: power off, status 0"));
    }
}

#[test]
fn the_firmware_console_and_the_serial_port_say_the_same() {
    let result = |bootargs| {
        let mut world = World::new(bootargs);
        world.finish();
        world.console.lines().filter(|line| line.starts_with("result")).collect::<String>()
    };
    assert_eq!(result("kernel.console=sbi init=integer"), result("init=integer"));
}

#[test]
fn the_virtio_console_says_all_that_the_serial_port_would() {
    let mut serial = World::with_virtio_console("init=forkwait");
    serial.finish();
    let mut world = World::with_virtio_console("kernel.console=virtio init=forkwait");
    world.finish();
    assert_eq!(world.console, serial.console);
    assert!(world.console.contains("\ndigest forkwait#1 "), "{}", world.console);
    let counters = world.machine.board().counters();
    assert_eq!(counters.console.sent_bytes, world.console.len() as u64);
}

#[test]
fn a_missing_virtio_console_is_told_and_the_serial_port_used() {
    let mut serial = World::new("init=integer");
    serial.finish();
    let mut world = World::new("kernel.console=virtio init=integer");
    world.finish();
    let expected = format!("kernel: no virtio console, using the UART\n{}", serial.console);
    assert_eq!(world.console, expected);
}

/// More lines than all the buffers that the kernel gives the console hold at once.
#[test]
fn typed_lines_reach_the_console_that_the_kernel_uses() {
    for bootargs in ["kernel.console=virtio init=echo", "init=echo"] {
        let mut world = World::with_virtio_console(bootargs);
        world.run(2_000_000);
        let lines: Vec<String> = (0..40).map(|n| format!("line number {n}\n")).collect();
        for (line, now) in lines.iter().zip((3_000_000..).step_by(1_000_000)) {
            world.machine.console_input(&mut world.store, line.as_bytes()).unwrap();
            world.run(now);
        }
        world.machine.console_input(&mut world.store, b"end\n").unwrap();
        world.finish();
        let echoed: String =
            world.console.split_inclusive('\n').filter_map(|l| l.strip_prefix("echo ")).collect();
        assert_eq!(echoed, lines.concat(), "{bootargs}");
    }
}

#[test]
fn cutting_a_run_changes_nothing() {
    let mut whole = World::new("init=forkwait");
    whole.run(2_000_000);
    for step in [9_973, 131_071] {
        let mut cut = World::new("init=forkwait");
        for until in (0..2_000_000).step_by(step) {
            cut.run(until);
        }
        cut.run(2_000_000);
        assert_eq!(cut.picture(), whole.picture(), "cut every {step} cycles");
    }
}

#[test]
fn a_restored_machine_goes_on_as_if_it_had_never_stopped() {
    let mut undisturbed = World::new("init=files");
    undisturbed.finish();
    let expected = undisturbed.picture();

    let mut world = World::new("init=files");
    for until in [300_000, 900_001, 5_000_000] {
        world.run(until);
        let mut state = world.machine.save(&mut world.store);
        // Another machine goes on instead: nothing of the first one's caches is left.
        let mut other = Machine::new(world.machine.config().clone());
        other.restore(&mut world.store, &mut state).unwrap();
        state.release(&mut world.store);
        world.machine.release(&mut world.store);
        world.machine = other;
    }
    world.finish();
    assert_eq!(world.picture(), expected);
}

#[test]
fn a_fork_of_a_booted_guest_costs_what_it_writes() {
    let mut world = World::new("init=idle");
    world.run(1_000_000);
    let before = world.store.used_bytes();
    let mut forks: Vec<Machine> =
        (0..20).map(|_| world.machine.fork(&mut world.store).unwrap()).collect();
    assert_eq!(world.store.used_bytes(), before);
    for fork in &mut forks {
        fork.run(&mut world.store, 2_000_000);
    }
    let each = (world.store.used_bytes() - before) / 20;
    assert!(each < 64 << 10, "{each} bytes each");
}

const REQUEST_MAGIC: u32 = 0x7172_6364;
const ANSWER_MAGIC: u32 = 0x7072_6364;

/// A request of the guest's `server` program, as its documentation lays it out.
fn server_request(number: u64) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x77, 0x88, 0xb5];
    for field in [REQUEST_MAGIC, 64] {
        frame.extend(field.to_le_bytes());
    }
    frame.extend(number.to_le_bytes());
    for field in [10_u32, 1, 2, 32] {
        frame.extend(field.to_le_bytes());
    }
    frame.resize(14 + 64, 0);
    frame
}

#[test]
fn the_server_answers_over_the_network() {
    let mut world = World::new("init=server requests=3 disk=64");
    for number in 0..3 {
        world.arriving.insert(2_000_000 * (number + 1), server_request(number));
    }
    world.finish();
    assert_eq!(world.sent.len(), 3, "{}", world.console);
    for (number, frame) in world.sent.iter().enumerate() {
        assert_eq!(frame[..6], [0x02, 0, 0, 0, 0, 0x77], "to who asked");
        assert_eq!(frame[14..18], ANSWER_MAGIC.to_le_bytes());
        assert_eq!(frame[22..30], (number as u64).to_le_bytes());
    }
}

/// What programs said, in one order: harts decide who speaks first.
fn said(console: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = console
        .lines()
        .filter(|line| line.starts_with("result ") || line.starts_with("digest "))
        .collect();
    lines.sort_unstable();
    lines
}

/// Everything at once: processes that compute, that fork and that use the disk.
const AT_ONCE: &str = "kernel.tick_ms=1 init=suite parallel=1 \
    run=integer:iterations=5,float:steps=50,parallel:workers=3:rounds=3,forkwait:n=3,files:files=2";

#[test]
fn programs_compute_on_several_harts_what_they_compute_on_one() {
    let mut one = World::new(AT_ONCE);
    one.finish();
    for (harts, locks) in [(2, "ticket"), (4, "ticket"), (4, "paravirtual"), (8, "paravirtual")] {
        let board = BoardConfig { harts, ..BoardConfig::default() };
        let mut several = World::on(board, &format!("kernel.locks={locks} {AT_ONCE}"));
        several.finish();
        assert!(several.console.contains(&format!("kernel: {harts} harts\n")));
        assert_eq!(said(&several.console), said(&one.console), "{harts} harts, {locks}");
    }
}

#[test]
fn harts_share_work_outside_the_kernel_and_take_turns_inside() {
    let cycles = |harts, work: &str, rounds: u32| {
        let program = format!("init=locks workers=4 {work} rounds={rounds}");
        let mut world = World::on(BoardConfig { harts, ..BoardConfig::default() }, &program);
        world.finish();
        world.machine.now_cycles()
    };
    // What 20 further rounds take, so that beginning and end are the same.
    let further = |harts, work| cycles(harts, work, 25) - cycles(harts, work, 5);
    let percent = |work| 100 * further(1, work) / further(4, work);
    // One call a round, of some hundred cycles, is all that stands in the way of each other.
    let outside = percent("hold=0 think=10000");
    assert!((370..=410).contains(&outside), "{outside} %");
    let inside = percent("hold=10000 think=0");
    assert!((90..=110).contains(&inside), "{inside} %");
}
