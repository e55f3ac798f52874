//! What two runs of an image disagree on, in words.

use crate::image::{Image, Place};
use crate::layout::{BASE, MEMORY, RECORD_WORDS};
use dcsim_hart::isa::{Register, decode, disassemble, instruction_length};
use std::fmt::Write;
use std::ops::Range;

/// The first sequence after which the registers differ, with the registers and the instructions;
/// `None` where both runs printed the same.
pub fn first_difference(image: &Image, ours: &[u8], theirs: &[u8]) -> Option<String> {
    let (mine, other) = (words(ours), words(theirs));
    let at = (0..mine.len().max(other.len())).find(|at| mine.get(*at) != other.get(*at))?;
    let index = at / RECORD_WORDS;
    let Some(place) = image.sequences.get(index) else {
        return Some(format!("one of them printed more, from word {at} on"));
    };
    let mut text = format!("sequence {index}:\n");
    let record = index * RECORD_WORDS..(index + 1) * RECORD_WORDS;
    for word in record.filter(|word| mine.get(*word) != other.get(*word)) {
        let name = word_name(word % RECORD_WORDS);
        let _ =
            writeln!(text, "  {name}: {} here, {} there", show(&mine, word), show(&other, word));
    }
    text.push_str(&described(image, place));
    Some(text)
}

pub(crate) fn words(bytes: &[u8]) -> Vec<u64> {
    let (chunks, _) = bytes.as_chunks::<8>();
    chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect()
}

pub(crate) fn show(words: &[u64], at: usize) -> String {
    words.get(at).map_or_else(|| "nothing".to_owned(), |word| format!("{word:#018x}"))
}

fn word_name(word: usize) -> String {
    match word {
        0 => "traps".to_owned(),
        1..32 => format!("x{word} ({})", Register::ALL[word].integer_name()),
        32..64 => format!("f{} ({})", word - 32, Register::ALL[word - 32].float_name()),
        64 => "fcsr".to_owned(),
        _ => "memory".to_owned(),
    }
}

/// How a sequence is entered, and its instructions.
fn described(image: &Image, place: &Place) -> String {
    let mut text = format!("  {:?}, {:x?}\n", place.world.privilege, place.world.control);
    let base = place.world.code + BASE - MEMORY;
    text.push_str(&listing(&image.bytes, place.start..place.end, base));
    text
}

/// The instructions in a part of an image that is executed at `base`.
pub(crate) fn listing(bytes: &[u8], part: Range<usize>, base: u64) -> String {
    let mut text = String::new();
    let mut at = part.start;
    while at + 2 <= part.end {
        let length = instruction_length(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let mut word = [0; 4];
        let rest = &bytes[at..(at + length).min(bytes.len())];
        word[..rest.len()].copy_from_slice(rest);
        let word = u32::from_le_bytes(word);
        let address = base + at as u64;
        let shown =
            decode(word).map_or_else(|| "illegal".to_owned(), |_| disassemble(word, address));
        let _ = writeln!(text, "  {address:#x}: {word:08x} {shown}");
        at += length;
    }
    text
}
