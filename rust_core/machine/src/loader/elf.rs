//! ELF executables: 64-bit, little-endian, RISC-V, already linked.
//!
//! Segments go to their physical addresses. An entry point that is a virtual address (a kernel
//! linked high) is translated through the segment that holds it.

use super::{Format, ImageError, Piece, Plan};
use object::LittleEndian;
use object::elf::{
    ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_RISCV, ET_EXEC, FileHeader64, PT_LOAD, ProgramHeader64,
    SHT_SYMTAB,
};
use object::read::elf::{FileHeader, ProgramHeader, Sym};

type Header = FileHeader64<LittleEndian>;
type Segment = ProgramHeader64<LittleEndian>;

const CLASS_OFFSET: usize = 4;
const DATA_OFFSET: usize = 5;

/// Whether these bytes begin as an ELF file does.
pub fn is_elf(image: &[u8]) -> bool {
    image.starts_with(&ELFMAG)
}

/// Reads an executable.
pub fn read(image: &[u8]) -> Result<Plan<'_>, ImageError> {
    let header = header(image)?;
    let endian = LittleEndian;
    if header.e_type(endian) != ET_EXEC {
        return Err(ImageError::NotExecutable(header.e_type(endian)));
    }
    let segments = header
        .program_headers(endian, image)
        .map_err(|_| ImageError::Truncated("the program headers"))?;
    let mut pieces = Vec::new();
    for segment in segments.iter().filter(|segment| is_loaded(segment)) {
        pieces.push(piece(segment, image)?);
    }
    if pieces.is_empty() {
        return Err(ImageError::Malformed("no segment to load"));
    }
    let entry = physical_entry(header.e_entry(endian), segments);
    Ok(Plan { format: Format::Elf, entry, pieces })
}

/// The value of a symbol, if the file has a symbol table with it.
pub fn symbol_address(image: &[u8], name: &str) -> Option<u64> {
    let header = header(image).ok()?;
    let endian = LittleEndian;
    let sections = header.sections(endian, image).ok()?;
    let symbols = sections.symbols(endian, image, SHT_SYMTAB).ok()?;
    let has_name = |symbol: &&object::elf::Sym64<LittleEndian>| {
        symbols.symbol_name(endian, symbol).is_ok_and(|found| found == name.as_bytes())
    };
    symbols.iter().find(has_name).map(|symbol| symbol.st_value(endian))
}

/// Whether an image is an ELF file with a section of this name.
pub fn has_section(image: &[u8], name: &str) -> bool {
    let endian = LittleEndian;
    let sections = header(image).ok().and_then(|header| header.sections(endian, image).ok());
    sections.is_some_and(|sections| sections.section_by_name(endian, name.as_bytes()).is_some())
}

fn header(image: &[u8]) -> Result<&Header, ImageError> {
    let byte = |offset: usize| {
        image.get(offset).copied().ok_or(ImageError::Truncated("the identification"))
    };
    if byte(CLASS_OFFSET)? != ELFCLASS64 || byte(DATA_OFFSET)? != ELFDATA2LSB {
        return Err(ImageError::WrongMachine("not 64-bit little-endian".to_string()));
    }
    let header = Header::parse(image).map_err(|_| ImageError::Truncated("the file header"))?;
    let machine = header.e_machine(LittleEndian);
    if machine != EM_RISCV {
        return Err(ImageError::WrongMachine(format!("ELF machine {machine}, not {EM_RISCV}")));
    }
    Ok(header)
}

fn is_loaded(segment: &Segment) -> bool {
    segment.p_type(LittleEndian) == PT_LOAD && segment.p_memsz(LittleEndian) > 0
}

fn piece<'a>(segment: &Segment, image: &'a [u8]) -> Result<Piece<'a>, ImageError> {
    let endian = LittleEndian;
    let bytes = segment.data(endian, image).map_err(|()| ImageError::Truncated("a segment"))?;
    let memory_bytes = segment.p_memsz(endian);
    if (bytes.len() as u64) > memory_bytes {
        return Err(ImageError::Malformed("a segment larger in the file than in memory"));
    }
    Ok(Piece { address: segment.p_paddr(endian), bytes, memory_bytes })
}

fn physical_entry(entry: u64, segments: &[Segment]) -> u64 {
    let endian = LittleEndian;
    let offset_in = |segment: &Segment| {
        let offset = entry.checked_sub(segment.p_vaddr(endian))?;
        (offset < segment.p_memsz(endian)).then(|| segment.p_paddr(endian).wrapping_add(offset))
    };
    segments.iter().filter(|segment| is_loaded(segment)).find_map(offset_in).unwrap_or(entry)
}
