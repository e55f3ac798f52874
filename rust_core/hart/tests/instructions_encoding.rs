//! The instruction table: encodings, reserved encodings, assembler text.

use dcsim_hart::Op;
use dcsim_hart::isa::{
    COMPRESSED, Compressed, Extension, INSTRUCTIONS, ImmediateField, Opcode, Register,
    RegisterField, Reserved, decode, decode_compressed, disassemble, encode, encode_compressed,
    find,
};

/// A small generator of repeatable numbers (the constants are Marsaglia's xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn every_row_decodes_to_itself_whatever_its_operands() {
    let mut numbers = Numbers(1);
    for row in INSTRUCTIONS {
        for _ in 0..200 {
            let word = row.pattern.value | numbers.next() as u32 & !row.pattern.mask;
            let op = decode(word).unwrap_or_else(|| panic!("{} {word:#x}", row.mnemonic));
            assert_eq!(op.opcode, row.opcode, "{} {word:#x}", row.mnemonic);
            assert_eq!(encode(&op), word, "{}", row.mnemonic);
            assert_eq!(decode(encode(&op)), Some(op));
        }
    }
}

#[test]
fn no_two_rows_overlap() {
    for (index, row) in INSTRUCTIONS.iter().enumerate() {
        assert_eq!(row.opcode as usize, index);
        for other in &INSTRUCTIONS[index + 1..] {
            let common = row.pattern.mask & other.pattern.mask;
            let differ = (row.pattern.value ^ other.pattern.value) & common != 0;
            assert!(differ, "{} and {}", row.mnemonic, other.mnemonic);
        }
    }
}

/// Operand bits and fixed bits together are the whole word: nothing is decoded twice or ignored.
#[test]
fn every_bit_is_fixed_or_an_operand() {
    for row in INSTRUCTIONS {
        let fields = row.format.fields();
        let field = |field, bits: u32| if field == RegisterField::Absent { 0 } else { bits };
        let immediate = fields.immediate.insert(-1);
        let operands = [
            field(fields.rd, 0x1f << 7),
            field(fields.rs1, 0x1f << 15),
            field(fields.rs2, 0x1f << 20),
            field(fields.rs3, 0x1f << 27),
            immediate,
            row.pattern.mask,
        ];
        let sum = operands.iter().map(|bits| u64::from(*bits)).sum::<u64>();
        assert_eq!(sum, u64::from(u32::MAX), "{}", row.mnemonic);
    }
}

#[test]
fn every_halfword_has_one_row_or_none_and_round_trips() {
    let mut legal = vec![0; COMPRESSED.len()];
    for halfword in (0..=u16::MAX).filter(|halfword| halfword & 3 != 3) {
        let names: Vec<Compressed> = COMPRESSED
            .iter()
            .filter(|row| {
                let one = decode_compressed(halfword).filter(|(name, _)| *name == row.name);
                one.is_some_and(|(_, op)| encode_compressed(row.name, &op) == Some(halfword))
            })
            .map(|row| row.name)
            .collect();
        assert_eq!(names.len(), usize::from(decode(halfword.into()).is_some()), "{halfword:#x}");
        for name in names {
            legal[name as usize] += 1;
        }
    }
    assert!(legal.iter().all(|count| *count > 0));
    // Encodings of each kind, counted from the diagrams: 5 + 8 bits less the reserved ones.
    assert_eq!(legal[Compressed::CAddi4spn as usize], 8 * 255);
    assert_eq!(legal[Compressed::CLui as usize], 31 * 63);
    assert_eq!(legal[Compressed::CJr as usize], 31);
    assert_eq!(legal[Compressed::CMv as usize], 32 * 31);
    assert_eq!(legal[Compressed::CLwsp as usize], 31 * 64);
    assert_eq!(legal[Compressed::CEbreak as usize], 1);
}

#[test]
fn a_compressed_instruction_is_the_same_32_bit_one() {
    for halfword in (0..=u16::MAX).filter(|halfword| halfword & 3 != 3) {
        let Some(short) = decode(halfword.into()) else { continue };
        let long = decode(encode(&short)).unwrap();
        assert_eq!(Op { place: long.place, ..short }, long, "{halfword:#x}");
        assert_eq!((short.place.length(), long.place.length()), (2, 4));
    }
}

#[test]
fn reserved_encodings_are_illegal() {
    let words = [
        (0x0000_0000, "all zeros"),
        (0xffff_ffff, "all ones"),
        (0x0000_0004, "c.addi4spn with immediate 0"),
        (0x0000_8000, "quadrant 0 funct3 4"),
        (0x0000_2001, "c.addiw with rd = 0"),
        (0x0000_6101, "c.addi16sp with immediate 0"),
        (0x0000_6081, "c.lui with immediate 0"),
        (0x0000_9c41, "quadrant 1 funct6 0x27 funct2 2"),
        (0x0000_9c61, "quadrant 1 funct6 0x27 funct2 3"),
        (0x0000_4002, "c.lwsp with rd = 0"),
        (0x0000_6002, "c.ldsp with rd = 0"),
        (0x0000_8002, "c.jr with rs1 = 0"),
        (0x0000_0067 | 1 << 12, "jalr with funct3 1"),
        (0x0000_2063, "branch with funct3 2"),
        (0x0000_7003, "load with funct3 7"),
        (0x0000_4023, "store with funct3 4"),
        (0x8000_1013, "slli with bit 31 set"),
        (0x0200_101b, "slliw with amount bit 5 set"),
        (0x0000_102f, "amo of halfwords"),
        (0x1010_202f, "lr.w with rs2 = 1"),
        (0x0000_4073, "system with funct3 4"),
        (0x3020_00f3, "mret with rd = 1"),
        (0x0020_0073, "uret, of an extension withdrawn"),
        (0x0400_0043, "fmadd of half precision"),
        (0x5810_0053, "fsqrt.s with rs2 = 1"),
        (0x4210_0053, "fcvt.d.d"),
        (0x0000_001f, "a 48-bit encoding"),
    ];
    for (word, what) in words {
        assert_eq!(decode(word), None, "{word:#x} {what}");
    }
}

#[test]
fn known_words_have_known_text() {
    // Encodings worked out by hand from the instruction set listings.
    let cases: &[(u32, &str)] = &[
        (0x0000_0013, "addi zero, zero, 0"),
        (0xfff5_8513, "addi a0, a1, -1"),
        (0x1234_52b7, "lui t0, 0x12345"),
        (0xffff_f297, "auipc t0, 0xfffff"),
        (0x0000_00ef, "jal ra, 0x1000"),
        (0xffdf_f06f, "jal zero, 0xffc"),
        (0x0001_0067, "jalr zero, 0(sp)"),
        (0xfe00_0ee3, "beq zero, zero, 0xffc"),
        (0x0081_3503, "ld a0, 8(sp)"),
        (0xfea1_3c23, "sd a0, -8(sp)"),
        (0x03f5_1513, "slli a0, a0, 63"),
        (0x4015_551b, "sraiw a0, a0, 1"),
        (0x40b5_0533, "sub a0, a0, a1"),
        (0x02b5_5533, "divu a0, a0, a1"),
        (0x0ff0_000f, "fence iorw, iorw"),
        (0x0000_100f, "fence.i zero, zero, 0"),
        (0x3000_2573, "csrrs a0, 0x300, zero"),
        (0x1001_7073, "csrrci zero, 0x100, 2"),
        (0x1005_252f, "lr.w a0, (a0)"),
        (0x18b5_362f, "sc.d a2, a1, (a0)"),
        (0x00c5_f553, "fadd.s fa0, fa1, fa2, dyn"),
        (0x6a05_8543, "fmadd.d fa0, fa1, ft0, fa3, rne"),
        (0xc025_9553, "fcvt.l.s a0, fa1, rtz"),
        (0xf205_0553, "fmv.d.x fa0, a0"),
        (0x6b85_5513, "rev8 a0, a0"),
        (0x0805_453b, "zext.h a0, a0"),
        (0x1205_8073, "sfence.vma a1, zero"),
        (0x3020_0073, "mret"),
        (0x0000_4501, "c.li a0, zero, 0"),
        (0x0000_852e, "c.mv a0, zero, a1"),
        (0x0000_8082, "c.jr zero, 0(ra)"),
        (0x0000_1141, "c.addi sp, sp, -16"),
        (0x0000_e406, "c.sdsp ra, 8(sp)"),
        (0x0000_60a2, "c.ldsp ra, 8(sp)"),
        (0x0000_7139, "c.addi16sp sp, sp, -64"),
        (0x0000_0808, "c.addi4spn a0, sp, 16"),
        (0x0000_a001, "c.j zero, 0x1000"),
        (0x0000_bffd, "c.j zero, 0xffe"),
        (0x0000_dd7d, "c.beqz a0, zero, 0xffe"),
        (0x0000_0000, "illegal 0x0"),
    ];
    for (word, text) in cases {
        assert_eq!(disassemble(*word, 0x1000), *text, "{word:#x}");
    }
}

#[test]
fn mnemonics_are_distinct_and_found_again() {
    let mut names: Vec<&str> = INSTRUCTIONS.iter().map(|row| row.mnemonic).collect();
    names.extend(COMPRESSED.iter().map(|row| row.mnemonic));
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(find(0x0000_0033).map(|row| row.opcode), Some(Opcode::Add));
}

#[test]
fn the_table_has_every_instruction_of_the_profile() {
    // The numbers of instructions in the listings of the specification for RV64.
    let expected = [
        (Extension::I, 52),
        (Extension::Zifencei, 1),
        (Extension::Zicsr, 6),
        (Extension::M, 13),
        (Extension::A, 22),
        (Extension::F, 30),
        (Extension::D, 32),
        (Extension::Zba, 8),
        (Extension::Zbb, 24),
        (Extension::Zbs, 8),
        (Extension::Privileged, 4),
        (Extension::H, 15),
    ];
    for (extension, count) in expected {
        let rows = INSTRUCTIONS.iter().filter(|row| row.extension == extension).count();
        assert_eq!(rows, count, "{extension:?}");
    }
    assert_eq!(COMPRESSED.len(), 37);
    assert!(COMPRESSED.iter().any(|row| row.reserved == Reserved::RdTwoOrZeroImmediate));
}

#[test]
fn immediates_have_the_ranges_of_their_fields() {
    let cases = [
        (ImmediateField::I, -2048, 2047),
        (ImmediateField::S, -2048, 2047),
        (ImmediateField::B, -4096, 4094),
        (ImmediateField::U, -(1 << 31), (1 << 31) - 4096),
        (ImmediateField::J, -(1 << 20), (1 << 20) - 2),
        (ImmediateField::Shift, 0, 63),
        (ImmediateField::ShiftWord, 0, 31),
        (ImmediateField::Csr, 0, 4095),
    ];
    for (field, least, most) in cases {
        assert_eq!(field.extract(field.insert(least)), least, "{field:?}");
        assert_eq!(field.extract(field.insert(most)), most, "{field:?}");
    }
}

#[test]
fn registers_have_the_names_of_the_calling_convention() {
    assert_eq!(Register::from_bits(10).integer_name(), "a0");
    assert_eq!(Register::from_bits(8).float_name(), "fs0");
    assert_eq!(Register::from_short_bits(7), Register::R15);
    assert_eq!(Register::from_bits(34), Register::R2);
}
