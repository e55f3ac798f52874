//! The classifier finds what each profile documents, and nothing else; and a hart that differs in
//! one more instruction is found out, with the instruction's name.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use dcsim_hart::isa::{Opcode, Register, decode};
use dcsim_hart::{Csrs, Engine, Hart, Interpreter, IsaProfile, Op, Ports, Privilege, Stop, Width};
use dcsim_monitor::classify::{Class, Classification, Instruction, Kind, Request, classify};

const CSR_INSTRUCTIONS: [&str; 6] = ["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"];
const CSR_OPCODES: [Opcode; 6] =
    [Opcode::Csrrw, Opcode::Csrrs, Opcode::Csrrc, Opcode::Csrrwi, Opcode::Csrrsi, Opcode::Csrrci];

/// Supervisor registers with their numbers.
const SUPERVISOR: [(&str, u16); 12] = [
    ("sstatus", 0x100),
    ("sie", 0x104),
    ("stvec", 0x105),
    ("scounteren", 0x106),
    ("senvcfg", 0x10a),
    ("sscratch", 0x140),
    ("sepc", 0x141),
    ("scause", 0x142),
    ("stval", 0x143),
    ("sip", 0x144),
    ("stimecmp", 0x14d),
    ("satp", 0x180),
];

fn classified(isa: IsaProfile, seed: u64) -> Classification {
    classify(Request { isa, seed, states: 24 }, Interpreter::new()).unwrap()
}

/// The CSR instructions on these registers, in the order of the table.
fn on_registers(registers: &[&str]) -> Vec<String> {
    let names = CSR_INSTRUCTIONS.into_iter();
    names.flat_map(|name| registers.iter().map(move |each| format!("{name} {each}"))).collect()
}

fn offenders(found: &Classification, theorem: u32) -> &[String] {
    let verdict = found.verdict(theorem).unwrap();
    assert_eq!(verdict.holds, verdict.offenders.is_empty());
    &verdict.offenders
}

fn instruction<'a>(found: &'a Classification, name: &str) -> &'a Instruction {
    found.instructions.iter().find(|each| each.name == name).unwrap()
}

/// The names of a class, but for the CSR instructions.
fn plain_names(found: &Classification, class: Class) -> Vec<&str> {
    let of_class = found.instructions.iter().filter(|each| each.class == class);
    of_class.map(|each| &each.name[..]).filter(|name| !name.starts_with("csrr")).collect()
}

#[test]
fn the_instruction_sets_without_holes_are_virtualisable() {
    for isa in [IsaProfile::Rv64gc, IsaProfile::Rv64gch] {
        for seed in [1, 7] {
            let found = classified(isa, seed);
            assert_eq!(offenders(&found, 1), &[] as &[String], "{isa:?}");
            assert_eq!(offenders(&found, 3), &[] as &[String], "{isa:?}");
            assert_eq!(found.counts.unobserved, 0);
        }
    }
}

/// The privileged specification has these trap in user mode, and in both.
#[test]
fn privileged_instructions_are_those_of_the_specification() {
    let found = classified(IsaProfile::Rv64gc, 1);
    assert_eq!(plain_names(&found, Class::Privileged), ["sret", "wfi", "sfence.vma"]);
    let in_both = ["ecall", "ebreak", "mret", "c.ebreak"];
    assert_eq!(plain_names(&found, Class::TrapsInBoth), in_both);
    for (register, _) in SUPERVISOR {
        for name in on_registers(&[register]) {
            let found = instruction(&found, &name);
            assert_eq!(found.class, Class::Privileged, "{name}");
            assert!(found.has(Kind::Control) && !found.is_user_sensitive(), "{name}");
        }
    }
    for name in on_registers(&["fflags", "frm", "fcsr"]) {
        assert_eq!(instruction(&found, &name).class, Class::Innocuous, "{name}");
    }
    for name in on_registers(&["cycle", "instret", "hpmcounter3", "hpmcounter31"]) {
        assert_eq!(instruction(&found, &name).class, Class::TrapsInBoth, "{name}");
    }
}

/// The hypervisor extension's instructions, and its registers, are for HS mode.
#[test]
fn the_hypervisor_extension_is_privileged() {
    let found = classified(IsaProfile::Rv64gch, 1);
    let of_extension = found.instructions.iter().filter(|each| each.extension == "H");
    let of_extension: Vec<_> = of_extension.collect();
    assert_eq!(of_extension.len(), 15);
    for each in of_extension {
        assert_eq!(each.class, Class::Privileged, "{}", each.name);
        assert!(each.supervisor.completed > 0, "{}", each.name);
    }
    for name in on_registers(&["hstatus", "hgatp", "hvip", "vsstatus", "vsatp"]) {
        assert_eq!(instruction(&found, &name).class, Class::Privileged, "{name}");
    }
}

#[test]
fn only_satp_tells_where_frames_are() {
    let found = classified(IsaProfile::Rv64gc, 1);
    let located = found.instructions.iter().filter(|each| each.has(Kind::Location));
    assert_eq!(
        located.map(|each| &each.name).collect::<Vec<_>>(),
        on_registers(&["satp"]).iter().collect::<Vec<_>>()
    );
}

/// Documented: writes of `sstatus` that read nothing, and SFENCE.VMA, are dropped in user mode.
#[test]
fn silent_drops_break_the_first_theorem_only() {
    let mut expected = on_registers(&["sstatus"]);
    expected.push("sfence.vma".to_owned());
    for seed in [1, 7] {
        let found = classified(IsaProfile::Rv64gcLegacySilent, seed);
        assert_eq!(offenders(&found, 1), expected);
        assert_eq!(offenders(&found, 3), &[] as &[String]);
    }
}

/// Documented: user mode also reads `sstatus`, `satp` and `stvec`.
#[test]
fn readable_state_breaks_both_theorems() {
    let readable = on_registers(&["sstatus", "stvec", "satp"]);
    let mut expected = readable.clone();
    expected.push("sfence.vma".to_owned());
    for seed in [1, 7] {
        let found = classified(IsaProfile::Rv64gcLegacy, seed);
        assert_eq!(offenders(&found, 1), expected);
        assert_eq!(offenders(&found, 3), readable);
    }
}

#[test]
fn every_offender_has_a_state_in_which_it_does_not_trap() {
    let found = classified(IsaProfile::Rv64gcLegacy, 1);
    for each in &found.instructions {
        assert_eq!(each.class == Class::Sensitive, !each.proofs.is_empty(), "{}", each.name);
        for proof in &each.proofs {
            let word = u32::from_str_radix(&proof.encoding[2..], 16).unwrap();
            assert!(each.name.starts_with(decode(word).unwrap().opcode.row().mnemonic));
            assert!(!proof.differences.is_empty(), "{}", each.name);
        }
        let is_complete = each.proofs.iter().any(|proof| proof.in_user_mode == "completes");
        assert!(each.proofs.is_empty() || is_complete, "{}", each.name);
    }
}

#[test]
fn a_seed_gives_the_same_classification_again() {
    assert_eq!(classified(IsaProfile::Rv64gcLegacy, 9), classified(IsaProfile::Rv64gcLegacy, 9));
}

/// What a changed hart does in place of what the interpreter did.
type Change = Box<dyn Fn(&Op, &Before, &mut Hart, Stop) -> Stop>;

/// The hart before an instruction.
struct Before {
    pc: u64,
    x: [u64; 32],
    privilege: Privilege,
    virtualised: bool,
    csrs: Csrs,
}

/// A hart that differs from the profile's.
struct Changed {
    interpreter: Interpreter,
    change: Change,
}

impl Engine for Changed {
    fn run(&mut self, hart: &mut Hart, ports: &mut Ports<'_>, until_cycles: u64) -> Stop {
        hart.begin_run(ports);
        let word = hart.load(ports, hart.pc, Width::Word).unwrap();
        let (pc, x, csrs) = (hart.pc, hart.x, hart.csrs.clone());
        let (privilege, virtualised) = (hart.privilege, hart.virtualised);
        let before = Before { pc, x, privilege, virtualised, csrs };
        let stop = self.interpreter.run(hart, ports, until_cycles);
        match decode(word as u32) {
            Some(op) => (self.change)(&op, &before, hart, stop),
            None => stop,
        }
    }
}

/// What a hart with this change on top of `rv64gc` is found to be.
fn changed(change: impl Fn(&Op, &Before, &mut Hart, Stop) -> Stop + 'static) -> Classification {
    changed_from(IsaProfile::Rv64gc, change)
}

fn changed_from(
    isa: IsaProfile,
    change: impl Fn(&Op, &Before, &mut Hart, Stop) -> Stop + 'static,
) -> Classification {
    let engine = Changed { interpreter: Interpreter::new(), change: Box::new(change) };
    classify(Request { isa, seed: 1, states: 16 }, engine).unwrap()
}

/// Takes back a trap of user mode: the instruction completes and does nothing.
fn take_back(before: &Before, hart: &mut Hart, stop: Stop) -> Stop {
    let Stop::Trap(record) = stop else { return stop };
    if record.from != Privilege::User {
        return stop;
    }
    hart.csrs = before.csrs.clone();
    hart.set_privilege(before.privilege);
    hart.pc = before.pc + 4;
    Stop::Deadline
}

/// A hart on which user mode does nothing where one instruction should trap.
fn silent(opcode: Opcode, register: Option<u16>) -> Classification {
    changed(move |op, before, hart, stop| {
        let is_it = op.opcode == opcode
            && register.is_none_or(|number| op.imm == i64::from(number) && op.rd == Register::R0);
        if is_it { take_back(before, hart, stop) } else { stop }
    })
}

#[test]
fn one_more_silent_instruction_is_found() {
    for (opcode, name) in [(Opcode::Sret, "sret"), (Opcode::Wfi, "wfi")] {
        let found = silent(opcode, None);
        assert_eq!(offenders(&found, 1), [name]);
        assert_eq!(offenders(&found, 3), &[] as &[String]);
    }
    let registers = SUPERVISOR.into_iter().skip(1).step_by(2);
    let instructions = CSR_OPCODES.into_iter().zip(CSR_INSTRUCTIONS);
    for ((opcode, mnemonic), (register, number)) in instructions.zip(registers) {
        let found = silent(opcode, Some(number));
        assert_eq!(offenders(&found, 1), [format!("{mnemonic} {register}")]);
        assert_eq!(offenders(&found, 3), &[] as &[String]);
    }
}

/// Where supervisor mode traps and user mode does not, even user mode is told from it.
#[test]
fn one_silent_instruction_that_traps_in_supervisor_mode_is_found() {
    let found = silent(Opcode::Mret, None);
    assert_eq!(offenders(&found, 1), ["mret"]);
    assert_eq!(offenders(&found, 3), ["mret"]);
}

#[test]
fn one_more_readable_register_is_found() {
    for (register, number) in SUPERVISOR {
        let found = changed(move |op, before, hart, stop| {
            let reads = CSR_OPCODES.contains(&op.opcode) && op.rd != Register::R0;
            if !reads || op.imm != i64::from(number) {
                return stop;
            }
            let stop = take_back(before, hart, stop);
            if before.privilege == Privilege::User {
                hart.x[op.rd.index()] = hart.read_csr(number).unwrap();
            }
            stop
        });
        assert_eq!(offenders(&found, 1), on_registers(&[register]));
        assert_eq!(offenders(&found, 3), on_registers(&[register]));
    }
}

/// As the PDP-10's JRST 1, which enters user mode and does not trap there.
#[test]
fn a_change_of_mode_in_supervisor_mode_alone_breaks_the_first_theorem() {
    let found = changed(|op, _, hart, stop| {
        if op.opcode == Opcode::Fence {
            hart.set_privilege(Privilege::User);
        }
        stop
    });
    assert_eq!(offenders(&found, 1), ["fence"]);
    assert_eq!(offenders(&found, 3), &[] as &[String]);
    let proof = &instruction(&found, "fence").proofs[0];
    assert!(proof.differences.iter().any(|difference| difference.of == "mode"));
}

#[test]
fn a_flush_of_the_tlb_is_found() {
    let found = changed(|op, _, hart, stop| {
        if op.opcode == Opcode::FenceI {
            hart.flush_translations(None, None);
        }
        stop
    });
    assert_eq!(offenders(&found, 1), ["fence.i"]);
    assert_eq!(offenders(&found, 3), ["fence.i"]);
    assert!(instruction(&found, "fence.i").has(Kind::Control));
}

#[test]
fn an_instruction_that_shows_the_mode_is_found() {
    let found = changed(|op, before, hart, stop| {
        if op.opcode == Opcode::Xor && op.rd != Register::R0 {
            hart.x[op.rd.index()] = before.privilege.code();
        }
        stop
    });
    // The 16-bit instruction stands for the same one.
    assert_eq!(offenders(&found, 1), ["xor", "c.xor"]);
    assert_eq!(offenders(&found, 3), ["xor", "c.xor"]);
    assert!(instruction(&found, "xor").has(Kind::Mode));
}

#[test]
fn an_instruction_that_shows_its_frame_is_found() {
    let found = changed(|op, before, hart, stop| {
        if op.opcode == Opcode::Auipc && op.rd != Register::R0 {
            let root = before.csrs.satp & 0xfff;
            hart.x[op.rd.index()] = before.x[op.rd.index()].wrapping_add(root);
        }
        stop
    });
    assert_eq!(offenders(&found, 1), ["auipc"]);
    let auipc = instruction(&found, "auipc");
    assert!(auipc.has(Kind::Location) && !auipc.has(Kind::Mode) && !auipc.has(Kind::Resource));
}

/// What guests of a hart with this change do to their host.
fn guest_offenders(change: impl Fn(&Op, &mut Hart) + 'static) -> Vec<String> {
    let found = changed_from(IsaProfile::Rv64gch, move |op, before, hart, stop| {
        if before.virtualised && !matches!(stop, Stop::Trap(_)) {
            change(op, hart);
        }
        stop
    });
    assert_eq!(offenders(&found, 1), &[] as &[String], "outside guests nothing is changed");
    let guest = found.guest.unwrap();
    assert_eq!(guest.holds, guest.offenders.is_empty());
    for name in &guest.offenders {
        let offender = guest.instructions.iter().find(|each| each.name == *name).unwrap();
        assert!(!offender.proofs.is_empty());
    }
    guest.offenders
}

#[test]
fn guests_act_on_their_own_state() {
    for seed in [1, 7] {
        let guest = classified(IsaProfile::Rv64gch, seed).guest.unwrap();
        assert_eq!((guest.holds, &guest.offenders[..]), (true, &[] as &[String]));
        assert_eq!(guest.counts.unobserved, 0);
        for each in &guest.instructions {
            let completes = each.supervisor.completed > 0;
            assert_eq!(completes, each.class != Class::TrapsInBoth, "{}", each.name);
        }
    }
    assert!(classified(IsaProfile::Rv64gc, 1).guest.is_none());
}

/// What a guest may do of itself: all that a kernel does with its own registers.
#[test]
fn a_guest_kernel_does_without_its_host() {
    let guest = classified(IsaProfile::Rv64gch, 1).guest.unwrap();
    let class =
        |name: &str| guest.instructions.iter().find(|each| each.name == name).unwrap().class;
    for (register, _) in SUPERVISOR {
        for name in on_registers(&[register]) {
            assert_eq!(class(&name), Class::Privileged, "{name}");
        }
    }
    for name in ["sret", "wfi", "sfence.vma"] {
        assert_eq!(class(name), Class::Privileged, "{name}");
    }
    for name in ["hfence.vvma", "hfence.gvma", "hlv.d", "hsv.b", "csrrs hgatp", "csrrw vsatp"] {
        assert_eq!(class(name), Class::TrapsInBoth, "{name}");
    }
}

#[test]
fn a_guest_that_reads_a_register_of_its_host_is_found() {
    let found = guest_offenders(|op, hart| {
        let is_it = op.opcode == Opcode::Csrrs && op.imm == 0x140;
        if is_it && op.rd != Register::R0 {
            hart.x[op.rd.index()] = hart.read_csr(0x140).unwrap();
        }
    });
    assert_eq!(found, ["csrrs sscratch"]);
}

#[test]
fn a_guest_that_writes_a_register_of_its_host_is_found() {
    let found = guest_offenders(|op, hart| {
        if op.opcode == Opcode::Csrrw && op.imm == 0x105 {
            hart.write_csr(0x105, 0x5550);
        }
    });
    assert_eq!(found, ["csrrw stvec"]);
}

#[test]
fn a_guest_that_flushes_translations_of_its_host_is_found() {
    let found = guest_offenders(|op, hart| {
        if op.opcode == Opcode::SfenceVma {
            hart.set_mode(Privilege::Supervisor, false);
            hart.flush_translations(None, None);
            hart.set_mode(Privilege::Supervisor, true);
        }
    });
    assert_eq!(found, ["sfence.vma"]);
}

#[test]
fn a_guest_that_leaves_without_a_trap_is_found() {
    let found = guest_offenders(|op, hart| {
        if op.opcode == Opcode::Sret {
            hart.set_mode(Privilege::User, false);
        }
    });
    assert_eq!(found, ["sret"]);
}

#[test]
fn a_guest_that_sees_where_its_frames_are_is_found() {
    let found = guest_offenders(|op, hart| {
        if op.opcode == Opcode::Lui && op.rd != Register::R0 {
            hart.x[op.rd.index()] ^= hart.read_csr(0x680).unwrap();
        }
    });
    assert_eq!(found, ["lui", "c.lui"]);
}
