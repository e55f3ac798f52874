//! Raw code as a kernel that announces the interface.

use dcsim_machine::test_utils::elf_with_section;
use dcsim_monitor::paravirtual::abi::NOTE_SECTION;

/// An ELF executable with one segment and the note's section.
pub fn announced(code: &[u8]) -> Vec<u8> {
    elf_with_section(code, NOTE_SECTION)
}
