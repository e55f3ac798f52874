//! Raw code in an ELF file (System V ABI, "Object Files").

use crate::board::map::KERNEL_BASE;

const HEADER_BYTES: u64 = 64;
const SEGMENT_BYTES: u64 = 56;

/// An ELF executable with one segment, where kernels are loaded and entered, and a section without
/// content that tells something by its name.
pub fn elf_with_section(code: &[u8], name: &str) -> Vec<u8> {
    let names = [b"\0", name.as_bytes(), b"\0"].concat();
    let code_offset = HEADER_BYTES + SEGMENT_BYTES;
    let names_offset = code_offset + code.len() as u64;
    let sections_offset = names_offset + names.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    halves(&mut elf, &[2, 243]);
    words(&mut elf, &[1]);
    doubles(&mut elf, &[KERNEL_BASE, HEADER_BYTES, sections_offset]);
    words(&mut elf, &[0]);
    halves(&mut elf, &[64, 56, 1, 64, 3, 1]);
    words(&mut elf, &[1, 7]);
    let bytes = code.len() as u64;
    doubles(&mut elf, &[code_offset, KERNEL_BASE, KERNEL_BASE, bytes, bytes, 8]);
    elf.extend_from_slice(code);
    elf.extend_from_slice(&names);
    let names_bytes = names.len() as u64;
    for (name, kind, offset, length) in
        [(0, 0, 0, 0), (0, 3, names_offset, names_bytes), (1, 7, names_offset, 0)]
    {
        words(&mut elf, &[name, kind]);
        doubles(&mut elf, &[0, 0, offset, length]);
        words(&mut elf, &[0, 0]);
        doubles(&mut elf, &[1, 0]);
    }
    elf
}

fn halves(elf: &mut Vec<u8>, values: &[u16]) {
    elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn words(elf: &mut Vec<u8>, values: &[u32]) {
    elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn doubles(elf: &mut Vec<u8>, values: &[u64]) {
    elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}
