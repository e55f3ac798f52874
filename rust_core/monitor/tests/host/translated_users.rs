//! Guests whose user code is translated, too.

use crate::assembly::{Assembler, x};
use crate::support::{LIMIT_NS, MIB, Model, config, profile};
use dcsim_hart::IsaProfile;
use dcsim_hart::isa::Opcode;
use dcsim_machine::DiskImage;
use dcsim_memory::PageStore;
use dcsim_monitor::TechniqueKind::{BareMetal, BinaryTranslation};
use dcsim_monitor::{HardwareProfile, PagingKind, TechniqueKind, VmConfig, VmCounters, VmState};

/// No clock tick comes, so every machine executes the same instructions.
const QUIET: &str = "kernel.tick_ms=100000";

const PROGRAMS: [&str; 3] = ["init=trespass", "init=forkwait n=2 pages=4", "init=float steps=3"];

fn pagings() -> &'static [PagingKind] {
    BinaryTranslation.pagings()
}

/// A guest whose users are translated as well.
fn translated(paging: PagingKind, bootargs: &str) -> VmConfig {
    VmConfig { paging, translate_user: true, ..config(BinaryTranslation, 16 * MIB, bootargs) }
}

/// The console, the status and what was counted.
fn outcome(isa: IsaProfile, config: VmConfig) -> (String, Option<u32>, VmCounters) {
    outcome_with_turns(isa, config, LIMIT_NS)
}

/// The same of a guest that loses its pCPU for a moment after each time of `turn_ns`.
fn outcome_with_turns(
    isa: IsaProfile,
    config: VmConfig,
    turn_ns: u64,
) -> (String, Option<u32>, VmCounters) {
    let mut model = Model::with_profile(HardwareProfile { isa, ..profile() }, 1, 64 * MIB);
    model.turn_ns = turn_ns;
    let vm = model.add(config, Some(DiskImage::new(4 * MIB)));
    model.host.withhold_steal_time(vm);
    model.play();
    let outcome = model.outcomes().remove(0);
    (outcome.console, outcome.code, outcome.counters)
}

#[test]
fn every_instruction_is_one_of_bare_metal_and_none_is_executed_directly() {
    for program in PROGRAMS {
        let bootargs = format!("{QUIET} {program}");
        let bare = outcome(IsaProfile::Rv64gc, config(BareMetal, 16 * MIB, &bootargs));
        for paging in pagings() {
            let (console, code, counters) =
                outcome(IsaProfile::Rv64gc, translated(*paging, &bootargs));
            assert_eq!((&console, code), (&bare.0, bare.1), "{program}, {paging:?}");
            assert_eq!(counters.direct_instructions, 0, "{program}, {paging:?}");
            assert_eq!(counters.instructions(), bare.2.instructions(), "{program}, {paging:?}");
        }
    }
}

/// The vCPU is taken off its pCPU wherever it is: its state has to be one of the guest's own.
#[test]
fn the_state_is_the_guests_own_wherever_it_is_interrupted() {
    for program in PROGRAMS {
        let bootargs = format!("{QUIET} {program}");
        let bare = outcome(IsaProfile::Rv64gc, config(BareMetal, 16 * MIB, &bootargs));
        for (paging, turn_ns) in pagings().iter().zip([1_009, 2_003]) {
            let config = translated(*paging, &bootargs);
            let (console, _, counters) = outcome_with_turns(IsaProfile::Rv64gc, config, turn_ns);
            assert_eq!(console, bare.0, "{program}, {paging:?}");
            assert_eq!(counters.instructions(), bare.2.instructions(), "{program}, {paging:?}");
        }
    }
}

/// On harts that let user mode look, a program sees the machine that it believes to be on.
#[test]
fn a_program_that_reads_privileged_state_is_not_misled() {
    let bootargs = format!("{QUIET} init=privread");
    for isa in [IsaProfile::Rv64gc, IsaProfile::Rv64gcLegacySilent, IsaProfile::Rv64gcLegacy] {
        let bare = outcome(isa, config(BareMetal, 16 * MIB, &bootargs)).0;
        for paging in pagings() {
            let config = translated(*paging, &bootargs);
            let directly = outcome(isa, VmConfig { translate_user: false, ..config.clone() }).0;
            assert_eq!(outcome(isa, config).0, bare, "{isa:?}, {paging:?}");
            assert_eq!(directly == bare, isa != IsaProfile::Rv64gcLegacy, "{isa:?}, {paging:?}");
        }
    }
}

const BASE: u64 = 0x8020_0000;
const HANDLER: u64 = 0x1000;
const USER: u64 = 0x2000;
const ROOT: u64 = 0x1_0000;
const LOG: u64 = BASE + 0x10_0000;
/// Where the user mode of the paged guest finds all of memory.
const WINDOW: u64 = 0x4000_0000;
const FINISHER: u64 = 0x0010_0000;
/// Where translations are put at first.
const CACHE: u64 = 0xffff_ffff_bfc0_0000;

const SSTATUS: u16 = 0x100;
const STVEC: u16 = 0x105;
const SEPC: u16 = 0x141;
const SCAUSE: u16 = 0x142;
const STVAL: u16 = 0x143;
const SATP: u16 = 0x180;

/// Logs a trap and goes on at `x1`; a system call switches the machine off.
fn handler() -> Assembler {
    let mut code = Assembler::default();
    for number in [SCAUSE, STVAL, SEPC] {
        code.read_csr(x(30), number);
        code.store(Opcode::Sd, x(30), x(27), 0);
        code.immediate(Opcode::Addi, x(27), x(27), 8);
    }
    code.read_csr(x(30), SCAUSE);
    code.immediate(Opcode::Addi, x(30), x(30), -8);
    code.store(Opcode::Beq, x(0), x(30), 12);
    code.write_csr(SEPC, x(1));
    code.plain(Opcode::Sret);
    code.write_csr(SATP, x(0));
    code.constant(x(5), FINISHER);
    code.constant(x(6), 0x5555);
    code.store(Opcode::Sw, x(6), x(5), 0);
    code
}

/// Into user mode at an address.
fn kernel(translation: u64, user: u64) -> Assembler {
    let mut code = Assembler::default();
    for (number, value) in
        [(STVEC, BASE + HANDLER), (SATP, translation), (SSTATUS, 0), (SEPC, user)]
    {
        code.constant(x(5), value);
        code.write_csr(number, x(5));
    }
    code.constant(x(27), LOG);
    code.plain(Opcode::Sret);
    code
}

/// Tries to read, write and execute an address.
fn try_all(code: &mut Assembler, base: u64, address: u64) {
    for opcode in [Opcode::Ld, Opcode::Sd, Opcode::Jalr] {
        code.constant(x(6), address);
        let behind = base + code.here() + 9 * 4;
        code.constant(x(1), behind);
        match opcode {
            Opcode::Sd => code.store(opcode, x(6), x(6), 0),
            Opcode::Ld => code.immediate(opcode, x(7), x(6), 0),
            _ => code.immediate(opcode, x(0), x(6), 0),
        }
    }
}

/// A user program that tries what is the monitor's or the kernel's.
fn intruder(paged: bool) -> Vec<u8> {
    let mut image = vec![0; 0x2_0000];
    let mut place = |offset: u64, bytes: &[u8]| {
        image[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    };
    let user = if paged { WINDOW + (BASE - 0x8000_0000) + USER } else { BASE + USER };
    let translation = if paged { 8 << 60 | (BASE + ROOT) >> 12 } else { 0 };
    place(0, &kernel(translation, user).bytes());
    place(HANDLER, &handler().bytes());
    place(ROOT + 8, &(0x8000_0000_u64 >> 12 << 10 | 0xdf).to_le_bytes());
    place(ROOT + 16, &(0x8000_0000_u64 >> 12 << 10 | 0xcf).to_le_bytes());
    let mut code = Assembler::default();
    for page in 0..6 {
        for offset in [0, 4, 0x40] {
            try_all(&mut code, user, CACHE + page * 0x1000 + offset);
        }
    }
    if paged {
        // The kernel's own addresses: its handler, which is translated.
        try_all(&mut code, user, BASE + HANDLER);
    }
    code.plain(Opcode::Ecall);
    place(USER, &code.bytes());
    image
}

fn run(store: &mut PageStore, technique: TechniqueKind, config: VmConfig, image: &[u8]) -> VmState {
    let mut model = Model::of(technique, 1, 16 * MIB);
    std::mem::swap(&mut model.store, store);
    model.limit_ns = 100_000_000;
    model.host.audit_steps(true);
    let vm = model.add_image(config, image, None);
    model.play();
    let state = model.host.save_vm(&mut model.store, vm).unwrap();
    model.host.release(&mut model.store);
    std::mem::swap(&mut model.store, store);
    state
}

#[test]
fn no_program_reaches_translations_but_its_own() {
    for paged in [true, false] {
        let image = intruder(paged);
        let mut store = PageStore::new(1 << 28);
        let bare = run(&mut store, BareMetal, config(BareMetal, 4 * MIB, ""), &image);
        // Three attempts at eighteen addresses, or nineteen; each logs three words.
        let attempts = if paged { 57 } else { 54 };
        assert_eq!(bare.cpu.x[27], LOG + (attempts + 1) * 24);
        for paging in pagings() {
            for translate_user in [false, true] {
                let config = config(BinaryTranslation, 4 * MIB, "");
                let config = VmConfig { paging: *paging, translate_user, ..config };
                let state = run(&mut store, BinaryTranslation, config, &image);
                let differences = bare.differences(&state, &store);
                assert_eq!(
                    differences,
                    Vec::<String>::new(),
                    "{paged}, {paging:?}, {translate_user}"
                );
            }
        }
    }
}
