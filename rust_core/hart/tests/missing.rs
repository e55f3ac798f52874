//! A hart that lacks extensions: what belongs to them is illegal, and everything else is not.

use dcsim_hart::isa::{Extension, INSTRUCTIONS, encode};
use dcsim_hart::{
    Engine, Exception, Hart, HostedModes, Interpreter, IsaProfile, Missing, NoDevices, Op, Ports,
    Stop, Timing,
};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};

const BASE: u64 = 0x8000_0000;
const MISA: u32 = 0x3010_2573; // csrr a0, misa
const FRCSR: u32 = 0x0030_2573; // csrr a0, fcsr
const C_NOP: u16 = 1;

/// The cause of the trap, if there is one, that ends a few instructions, and what they left in `a0`.
fn run(missing: &[&str], code: &[u16]) -> (Option<u64>, u64) {
    let mut store = PageStore::new(1 << 20);
    let mut frames = Frames::new(PhysicalAddress(BASE), 16);
    let mut memory = Memory { store: &mut store, frames: &mut frames };
    let end = [0x006f, 0]; // j .
    let bytes: Vec<u8> = code.iter().chain(&end).flat_map(|half| half.to_le_bytes()).collect();
    memory.write(PhysicalAddress(BASE), &bytes).expect("room for the code");
    let missing = Missing::from_letters(missing.iter().copied()).expect("letters");
    let mut hart = Hart::new(0, IsaProfile::Rv64gc, Timing::uniform()).with_missing(missing);
    hart.reset(BASE);
    hart.hosted = HostedModes { machine: true, supervisor: false };
    hart.x[8] = BASE + 0x8000;
    let mut bus = NoDevices;
    let mut ports = Ports { memory, bus: &mut bus };
    match Interpreter::new().run(&mut hart, &mut ports, 100) {
        Stop::Trap(record) => (Some(record.cause), hart.x[10]),
        _ => (None, hart.x[10]),
    }
}

fn halves(word: u32) -> [u16; 2] {
    [word as u16, (word >> 16) as u16]
}

#[test]
fn instructions_of_an_extension_that_is_missing_are_illegal() {
    let illegal = Some(Exception::IllegalInstruction.code());
    let letters =
        [("a", Extension::A), ("b", Extension::Zba), ("b", Extension::Zbb), ("b", Extension::Zbs)];
    for (letter, extension) in letters {
        let rows = INSTRUCTIONS.iter().filter(|row| row.extension == extension);
        for row in rows {
            let mut op = Op::new(row.opcode, 4);
            op.rs1 = dcsim_hart::isa::Register::R8;
            let code = halves(encode(&op));
            assert_eq!(run(&[letter], &code).0, illegal, "{}", row.mnemonic);
            assert_ne!(run(&["f", "c"], &code).0, illegal, "{}", row.mnemonic);
        }
    }
}

#[test]
fn without_c_short_instructions_and_places_between_words_are_illegal() {
    let illegal = Some(Exception::IllegalInstruction.code());
    let [low, high] = halves(0x0000_0013);
    assert_eq!(run(&[], &[C_NOP, low, high]).0, None);
    assert_eq!(run(&["c"], &[C_NOP]).0, illegal);
    // j +6: to a word that is not aligned.
    let [jump_low, jump_high] = halves(0x0060_006f);
    let code = [jump_low, jump_high, 0, low, high];
    assert_eq!(run(&["c"], &code).0, illegal);
    assert_eq!(run(&["c"], &[low, high]).0, None);
}

#[test]
fn misa_and_the_floating_point_registers_tell_what_is_missing() {
    let letters = |missing: &[&str]| run(missing, &halves(MISA)).1;
    let all = letters(&[]);
    assert_eq!(all ^ letters(&["d"]), 1 << 3);
    assert_eq!(all ^ letters(&["a", "b", "c", "f"]), 0b10_1111);
    // `mstatus.FS` cannot be switched on without F.
    let on = [halves(0x0000_62b7), halves(0x3002_a073), halves(FRCSR)].concat();
    let illegal = Some(Exception::IllegalInstruction.code());
    assert_eq!(run(&[], &on).0, None);
    assert_eq!(run(&["d"], &on).0, None);
    assert_eq!(run(&["f"], &on).0, illegal);
}
