//! What only binary translation has to get right: that its state is the guest's wherever it is
//! interrupted, code that changes, and harts on which sensitive instructions do not trap.

use crate::assembly::{Assembler, x};
use crate::support::{LIMIT_NS, MIB, Model, config, kernel, profile, run_alone};
use dcsim_hart::IsaProfile;
use dcsim_hart::isa::Opcode;
use dcsim_machine::DiskImage;
use dcsim_machine::random::Random;
use dcsim_memory::PageStore;
use dcsim_monitor::TechniqueKind::{self, BareMetal, BinaryTranslation};
use dcsim_monitor::{ExitKind, HardwareProfile, Host, VmId, VmState};

/// No clock tick comes in the time that the guests here run, so they execute the same
/// instructions wherever they run.
const QUIET: &str = "kernel.tick_ms=100000";

/// A guest that is run on a pCPU in small pieces.
struct Stepper {
    store: PageStore,
    host: Host,
    vm: VmId,
    is_over: bool,
}

impl Stepper {
    fn new(bootargs: &str) -> Self {
        let mut store = PageStore::new(1 << 28);
        let mut host = Host::new(profile(), 1, 64 * MIB).unwrap();
        let config = config(BinaryTranslation, 16 * MIB, bootargs);
        let vm = host.create_vm(&mut store, config, &kernel(), None).unwrap();
        host.withhold_steal_time(vm);
        host.load(&mut store, 0, vm, 0).unwrap();
        Self { store, host, vm, is_over: false }
    }

    fn now_ns(&self) -> u64 {
        self.host.local_time_ns(0).unwrap()
    }

    /// Lets time pass, by one nanosecond if the guest executes.
    fn step(&mut self) {
        let until_ns = self.now_ns() + 1;
        let exit = self.host.run(&mut self.store, until_ns).unwrap();
        match exit.kind {
            ExitKind::Until => {}
            ExitKind::Wait { wake_ns } => {
                self.host.run(&mut self.store, wake_ns.unwrap()).unwrap();
            }
            ExitKind::Shutdown { .. } => self.is_over = true,
            other => panic!("{other:?}"),
        }
        assert!(self.now_ns() < LIMIT_NS);
    }

    /// Instructions that the pCPU has executed for the guest.
    fn executed(&self) -> u64 {
        let counters = self.host.counters(self.vm).unwrap();
        counters.translation_instructions + counters.direct_instructions
    }

    fn console(&mut self) -> String {
        String::from_utf8(self.host.console_output(self.vm).unwrap()).unwrap()
    }
}

/// The vCPU is taken off its pCPU after random numbers of instructions: its state must be that at
/// a boundary of the guest's instructions each time, or the guest would go wrong from there.
#[test]
fn the_state_is_the_guests_own_wherever_it_is_interrupted() {
    let bootargs = format!("{QUIET} init=forkwait n=1 pages=1");
    let bare = run_alone(config(BareMetal, 16 * MIB, &bootargs), None);
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let mut guest = Stepper::new(&bootargs);
        while !guest.is_over {
            let enough = guest.executed() + 1 + random.below(120);
            while !guest.is_over && guest.executed() < enough {
                guest.step();
            }
            let now_ns = guest.now_ns();
            guest.host.unload(&mut guest.store, 0).unwrap();
            guest.host.load(&mut guest.store, 0, guest.vm, now_ns).unwrap();
        }
        assert_eq!(guest.console(), bare.console, "seed {seed}");
        let counters = guest.host.counters(guest.vm).unwrap();
        assert_eq!(counters.instructions(), bare.counters.instructions(), "seed {seed}");
    }
}

fn on(isa: IsaProfile) -> HardwareProfile {
    HardwareProfile { isa, ..profile() }
}

fn outcome(isa: IsaProfile, technique: TechniqueKind, bootargs: &str) -> (String, Option<u32>) {
    let mut model = Model::with_profile(on(isa), 1, 64 * MIB);
    model.add(config(technique, 16 * MIB, bootargs), Some(DiskImage::new(4 * MIB)));
    model.play();
    let outcome = model.outcomes().remove(0);
    (outcome.console, outcome.code)
}

#[test]
fn harts_on_which_sensitive_instructions_do_not_trap() {
    for bootargs in ["init=suite", "init=trespass", "init=forkwait n=2 pages=4"] {
        for isa in [IsaProfile::Rv64gcLegacySilent, IsaProfile::Rv64gcLegacy] {
            let bare = outcome(isa, BareMetal, bootargs);
            assert_eq!(outcome(isa, BinaryTranslation, bootargs), bare, "{bootargs}");
        }
    }
}

const BASE: u64 = 0x8020_0000;
const FINISHER: u64 = 0x0010_0000;
/// `addi a0, a0, 1` and `jalr x0, 0(ra)`, as words.
const RETURN: u32 = 0x0000_8067;

fn add_to_a0(amount: u32) -> u32 {
    0x0005_0513 | amount << 20
}

fn power_off(code: &mut Assembler) {
    code.constant(x(6), FINISHER);
    code.constant(x(7), 0x5555);
    code.store(Opcode::Sw, x(7), x(6), 0);
}

fn final_state(technique: TechniqueKind, image: &[u8], store: &mut PageStore) -> VmState {
    let mut model = Model::new(1, 16 * MIB);
    std::mem::swap(&mut model.store, store);
    model.limit_ns = 100_000_000;
    let vm = model.add_image(config(technique, 4 * MIB, ""), image, None);
    model.play();
    let state = model.host.save_vm(&mut model.store, vm).unwrap();
    model.host.release(&mut model.store);
    std::mem::swap(&mut model.store, store);
    state
}

fn assert_same_state(image: &[u8], a0: u64) {
    let mut store = PageStore::new(1 << 28);
    let bare = final_state(BareMetal, image, &mut store);
    let translated = final_state(BinaryTranslation, image, &mut store);
    assert_eq!(bare.differences(&translated, &store), Vec::<String>::new());
    assert_eq!(translated.cpu.x[10], a0);
}

/// Writes a function, calls it, and writes it again.
#[test]
fn code_that_is_written_between_calls() {
    let mut code = Assembler::default();
    code.constant(x(9), BASE + 0x2000);
    code.constant(x(7), u64::from(RETURN));
    code.store(Opcode::Sw, x(7), x(9), 4);
    let mut sum = 0;
    for round in 1..20 {
        code.constant(x(7), u64::from(add_to_a0(round)));
        code.store(Opcode::Sw, x(7), x(9), 0);
        if round % 2 == 0 {
            code.plain(Opcode::FenceI);
        }
        code.immediate(Opcode::Jalr, x(1), x(9), 0);
        sum += u64::from(round);
    }
    power_off(&mut code);
    assert_same_state(&code.bytes(), sum);
}

/// Writes the instruction right behind the store.
#[test]
fn code_that_writes_itself() {
    let mut code = Assembler::default();
    let mut sum = 0;
    for round in 1..20 {
        code.constant(x(7), u64::from(add_to_a0(round)));
        let length = 8 * 4;
        let target = BASE + code.here() + length + 4;
        code.constant(x(9), target);
        code.store(Opcode::Sw, x(7), x(9), 0);
        code.words.push(add_to_a0(0));
        sum += u64::from(round);
    }
    power_off(&mut code);
    assert_same_state(&code.bytes(), sum);
}

/// Without translation both modes of a guest have one shadow tree; MXR lets what may be executed be
/// read.
#[test]
fn user_code_without_translation_does_not_find_the_cache() {
    const BASE: u64 = 0x8020_0000;
    const CACHE: u64 = 0xffff_ffff_bfc0_0000;
    const MXR: u64 = 1 << 19;
    const LOAD_ACCESS_FAULT: i64 = 5;
    let mut code = Assembler::default();
    code.constant(x(5), BASE + 0x400);
    code.write_csr(0x105, x(5));
    code.constant(x(5), MXR);
    code.write_csr(0x100, x(5));
    code.constant(x(5), BASE + 0x800);
    code.write_csr(0x141, x(5));
    code.plain(Opcode::Sret);
    code.words.resize(0x100, 0);
    // The handler: the finisher is told whether the trap was the right one.
    code.read_csr(x(6), 0x142);
    code.immediate(Opcode::Addi, x(6), x(6), -LOAD_ACCESS_FAULT);
    code.immediate(Opcode::Sltiu, x(6), x(6), 1);
    code.constant(x(7), 0x3333);
    code.store(Opcode::Beq, x(0), x(6), 4 * 8);
    code.constant(x(7), 0x5555);
    code.constant(x(5), 0x0010_0000);
    code.store(Opcode::Sw, x(7), x(5), 0);
    code.words.resize(0x200, 0);
    // The user's code.
    code.constant(x(5), CACHE);
    code.immediate(Opcode::Ld, x(6), x(5), 0);
    for technique in [BareMetal, BinaryTranslation] {
        let mut model = Model::of(technique, 1, 16 * MIB);
        model.host.guard_frames(1);
        let vm = model.add_image(config(technique, 4 * MIB, ""), &code.bytes(), None);
        model.host.load(&mut model.store, 0, vm, 0).unwrap();
        let exit = model.host.run(&mut model.store, 1_000_000).unwrap();
        assert_eq!(exit.kind, ExitKind::Shutdown { code: 0 }, "{technique:?}");
    }
}
