//! The core against QEMU, with the hypervisor extension.

use super::case::Handlers;
use super::image::{Image, Place, Plan, build};
use super::layout::{RECORD_WORDS, save};
use super::registers::{PRINTED, hnumber};
use crate::differential::{Verdict, judge};
use crate::layout::{BASE, number};
use crate::qemu;
use crate::report::{listing, show, words};
use dcsim_hart::IsaProfile;
use dcsim_hart::csr::name;
use dcsim_hart::isa::Register;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// QEMU's hypervisor extension was made to follow the ratified one up to this version.
const LEAST_QEMU: u32 = 10;
/// Where the registers of [`PRINTED`] are in a record.
const PRINTED_FROM: usize = save::PRINTED_FROM as usize / 8;

/// Whether there is a QEMU to compare with, or why not.
pub fn usable() -> Result<(), String> {
    qemu::at_least(LEAST_QEMU)
}

/// Generates an image and runs it on both. QEMU's files go to `folder`.
pub fn compare(plan: Plan, folder: &Path) -> io::Result<Verdict> {
    let image = build(plan);
    let expected = 8 * RECORD_WORDS * plan.cases;
    judge(IsaProfile::Rv64gch, &image.bytes, folder, expected, |ours, theirs| {
        Ok(first_difference(&image, ours, theirs))
    })
}

/// `hstatus.GVA` and `mstatus.GVA`.
const HSTATUS_GVA: u64 = 1 << 6;
const MSTATUS_GVA: u64 = 1 << 38;
const BREAKPOINT: u64 = 3;

/// What handled the trap that ended a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Handler {
    Machine,
    Host,
    Guest,
}

/// What a case left behind here.
struct Record<'a> {
    words: &'a [u64],
    handlers: Handlers,
}

impl Record<'_> {
    fn value(&self, register: u16) -> u64 {
        let place = PRINTED.iter().position(|number| *number == register);
        place.and_then(|place| self.words.get(PRINTED_FROM + place)).copied().unwrap_or_default()
    }

    fn handler(&self) -> Handler {
        match self.value(number::MEPC) {
            pc if pc == self.handlers.host => Handler::Host,
            pc if pc == self.handlers.guest => Handler::Guest,
            _ => Handler::Machine,
        }
    }

    /// The bits of a register in which QEMU 10 is known to differ from the specification.
    fn not_compared(&self, register: u16) -> u64 {
        let handler = self.handler();
        match register {
            // It says whether V was 1 and the value is not 0.
            number::MSTATUS => MSTATUS_GVA,
            // GEILEN is 0 there too, but there is the bit of guest external interrupts.
            number::MIDELEG => 1 << 12,
            // It shows the supervisor's software interrupt.
            hnumber::HVIP => 1 << 1,
            // SD does not follow FS.
            hnumber::VSSTATUS => 1 << 63,
            // A trap that VS mode handles changes registers of HS mode.
            hnumber::HSTATUS if handler == Handler::Guest => HSTATUS_GVA,
            hnumber::HTVAL if handler == Handler::Guest => u64::MAX,
            // The address of a breakpoint is a guest's, too.
            hnumber::HSTATUS if self.value(number::SCAUSE) == BREAKPOINT => HSTATUS_GVA,
            // It keeps its value when it is written.
            hnumber::HTINST if handler != Handler::Host => u64::MAX,
            // A call after a guest-page fault has the address of that.
            hnumber::MTVAL2 if handler != Handler::Machine => u64::MAX,
            _ => 0,
        }
    }

    /// Whether a value that QEMU has for a register may be taken for the one here. A register for the
    /// trapping instruction may hold 0 here where it holds a transformed instruction there, whose lowest
    /// bit is 1.
    fn permits(&self, register: u16, theirs: u64) -> bool {
        let ours = self.value(register);
        let is_instruction = matches!(register, hnumber::HTINST | hnumber::MTINST);
        (ours ^ theirs) & !self.not_compared(register) == 0
            || (is_instruction && ours == 0 && theirs & 1 == 1)
    }
}

/// Whether a word of the output, by its place in it, is the same or permitted.
fn agrees(image: &Image, mine: &[u64], other: &[u64], at: usize) -> bool {
    let (Some(ours), Some(theirs)) = (mine.get(at), other.get(at)) else { return false };
    let (start, place) = (at - at % RECORD_WORDS, at % RECORD_WORDS);
    let register = place.checked_sub(PRINTED_FROM).and_then(|place| PRINTED.get(place));
    let record = Record { words: &mine[start..], handlers: image.handlers };
    register.map_or(ours == theirs, |register| record.permits(*register, *theirs))
}

/// The first case after which the registers differ, with the registers and the instructions.
fn first_difference(image: &Image, ours: &[u8], theirs: &[u8]) -> Option<String> {
    let (mine, other) = (words(ours), words(theirs));
    let differs = |at: &usize| !agrees(image, &mine, &other, *at);
    let at = (0..mine.len().max(other.len())).find(differs)?;
    let index = at / RECORD_WORDS;
    let Some(place) = image.cases.get(index) else {
        return Some(format!("one of them printed more, from word {at} on"));
    };
    let mut text = format!("case {index}:\n");
    for word in (index * RECORD_WORDS..(index + 1) * RECORD_WORDS).filter(differs) {
        let name = word_name(word % RECORD_WORDS);
        let _ =
            writeln!(text, "  {name}: {} here, {} there", show(&mine, word), show(&other, word));
    }
    text.push_str(&described(image, place));
    Some(text)
}

fn word_name(word: usize) -> String {
    match word.checked_sub(PRINTED_FROM) {
        None => format!("x{word} ({})", Register::ALL[word].integer_name()),
        Some(at) => PRINTED
            .get(at)
            .map_or_else(|| "memory".to_owned(), |number| name(*number).unwrap_or_default()),
    }
}

/// How a case begins, and its instructions.
fn described(image: &Image, place: &Place) -> String {
    let case = &place.case;
    let mut text = format!("  {:?}, vsatp {}, hgatp {}\n ", case.mode, case.first, case.second);
    for number in super::registers::CONTROL {
        let _ = write!(text, " {}={:#x}", name(number).unwrap_or_default(), case.value(number));
    }
    text.push('\n');
    let base = case.code_address(case.mode, BASE);
    text.push_str(&listing(&image.bytes, place.start..place.end, base));
    text
}
