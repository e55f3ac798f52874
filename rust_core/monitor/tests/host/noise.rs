//! Random bytes as guests of whole hosts: firmware, devices, monitor and shadow tables included.
//!
//! A guest begins with a prologue that gives its registers likely values, sends traps back into the
//! image and, every second time, switches on page tables of random but likely entries. The rest is
//! noise: plain bytes in half of the guests, mostly valid instructions in the others.

use crate::assembly::{Assembler, x};
use crate::paravirtual::{cell, elf::announced, profile_with};
use crate::support::{Cell, MIB, config, monitored_cells, profile, profile_for};
use dcsim_hart::isa::{Opcode, encode};
use dcsim_hart::{IsaProfile, Op};
use dcsim_machine::DiskImage;
use dcsim_machine::random::Random;
use dcsim_memory::PageStore;
use dcsim_monitor::TechniqueKind::{BareMetal, BinaryTranslation};
use dcsim_monitor::{ExitKind, HardwareProfile, Host, VmConfig, VmId};

const SEEDS: u64 = 2_000;
/// They trap at every turn, and all that they reach is looked at after each trap.
const USER_MODE_SEEDS: u64 = 100;
const END_NS: u64 = 20_000;
/// A translator has to do its work first.
const TRANSLATION_END_NS: u64 = 80_000;
/// More than any step of guest or monitor takes.
const LATENESS_NS: u64 = 100_000;

const MEMORY: u64 = 0x8000_0000;
/// Raw images are loaded 2 MiB into memory, so no guest can do with less.
const MEMORY_BYTES: u64 = 2 * MIB + 256 * 1024;
const HOST_BYTES: u64 = 4 * MIB;
const IMAGE: u64 = MEMORY + 2 * MIB;
const IMAGE_PAGES: u64 = 8;
const PAGE: u64 = 4096;
/// The last page of the image is the root of all page tables, and any level of them.
const TABLE_FRAME: u64 = (IMAGE >> 12) + IMAGE_PAGES - 1;

const SSTATUS: u16 = 0x100;
const STVEC: u16 = 0x105;
const STIMECMP: u16 = 0x14d;
const SATP: u16 = 0x180;
/// Supervisor registers that take anything: sie, scounteren, senvcfg, sscratch, sepc, scause, stval.
const ANYTHING: [u16; 7] = [0x104, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143];

/// Devices that registers point to now and then.
const DEVICES: [u64; 6] =
    [0x0010_0000, 0x0200_4000, 0x0c00_2000, 0x1000_0000, 0x1000_1000, 0x1000_2050];

/// An address in memory or at its edges, or of a device.
fn address(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => DEVICES[random.below(6) as usize] + random.below(64),
        1 => MEMORY - 16 + random.below(32),
        2 => MEMORY + MEMORY_BYTES - 16 + random.below(32),
        3 => MEMORY + random.below(MEMORY_BYTES),
        4 => IMAGE + random.below(IMAGE_PAGES + 1) * PAGE - 16 + random.below(32),
        _ => IMAGE + random.below(IMAGE_PAGES * PAGE),
    }
}

fn prologue(random: &mut Random) -> Vec<u8> {
    let mut code = Assembler::default();
    let vector = IMAGE + PAGE + (random.below((IMAGE_PAGES - 1) * PAGE) & !3);
    let mut pairs = vec![(STVEC, vector), (SSTATUS, random.next_u64())];
    pairs.push((STIMECMP, random.below(2) * random.below(200)));
    pairs.extend(ANYTHING.map(|number| (number, random.next_u64())));
    for (number, value) in pairs {
        code.constant(x(5), value);
        code.write_csr(number, x(5));
    }
    for register in 1..31 {
        let value = match random.below(4) {
            0 => random.next_u64() >> random.below(64),
            _ => address(random),
        };
        code.constant(x(register), value);
    }
    let mode = [0, 0, 0, 8, 8, 9][random.below(6) as usize];
    code.constant(x(31), mode << 60 | random.below(4) << 44 | TABLE_FRAME);
    code.write_csr(SATP, x(31));
    code.bytes()
}

fn likely(random: &mut Random) -> u32 {
    let rows = profile().isa.instructions();
    let row = &rows[random.below(rows.len() as u64) as usize];
    // A wait mostly ends a guest, and a guest should get somewhere.
    let is_wait = row.opcode == Opcode::Wfi && random.below(16) != 0;
    let opcode = if is_wait { Opcode::Addi } else { row.opcode };
    encode(&Op::new(opcode, 4)) | random.next_u64() as u32 & !opcode.row().pattern.mask
}

/// An entry that maps the gigabyte with the image, a page of the image or of a device, or points to
/// the table again.
fn table_entry(random: &mut Random) -> u64 {
    let bits = random.next_u64();
    let accessed_and_dirty = if random.below(4) == 0 { bits & 0xc0 } else { 0xc0 };
    let marks = bits & 0x330 | accessed_and_dirty;
    match random.below(8) {
        0..3 => (MEMORY >> 12) << 10 | 0xf | marks,
        3..5 => TABLE_FRAME << 10 | 1 | bits & 0x320,
        5 => (address(random) >> 12) << 10 | marks | bits & 0xf,
        6 => (IMAGE >> 12) << 10 | 0xf | marks,
        _ => bits,
    }
}

fn image(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = prologue(&mut random);
    let plain = seed.is_multiple_of(2);
    while (bytes.len() as u64) < (IMAGE_PAGES - 1) * PAGE {
        let noise = plain || random.below(8) == 0;
        let word = if noise { random.next_u64() as u32 } else { likely(&mut random) };
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for index in 0..PAGE / 8 {
        // Mostly, the gigabyte that holds the image stays where it is when tables are switched on.
        let stays = index == 2 && random.below(4) != 0;
        let entry = if stays { (MEMORY >> 12) << 10 | 0xcf } else { table_entry(&mut random) };
        bytes.extend_from_slice(&entry.to_le_bytes());
    }
    bytes
}

/// Runs the guest to the deadline, or to the end that it makes of itself before.
fn run(host: &mut Host, store: &mut PageStore, vm: VmId, end_ns: u64) {
    host.load(store, 0, vm, 0).unwrap();
    loop {
        let exit = host.run(store, end_ns).unwrap();
        assert!(exit.time_ns <= end_ns + LATENESS_NS, "{exit:?}");
        match exit.kind {
            ExitKind::Until => {
                assert!(exit.time_ns >= end_ns, "{exit:?}");
                break;
            }
            ExitKind::Shutdown { .. } | ExitKind::Fault { .. } => break,
            ExitKind::Io { .. } | ExitKind::Packet { .. } | ExitKind::Wait { .. } => {}
            ExitKind::Memory
            | ExitKind::Balloon { .. }
            | ExitKind::Scarce
            | ExitKind::Wake { .. }
            | ExitKind::Spin { .. }
            | ExitKind::SwapIn { .. } => panic!("{exit:?}"),
        }
    }
}

/// The number of instructions that the guest of this seed executed.
fn play(store: &mut PageStore, profile: HardwareProfile, cell: Cell, seed: u64) -> u64 {
    let mut host = Host::new(profile, 1, HOST_BYTES).unwrap();
    let config = VmConfig { network: true, ..config(cell, MEMORY_BYTES, "") };
    let disk = Some(DiskImage::new(64 * 1024));
    let image =
        if cell.technique.needs_interface() { announced(&image(seed)) } else { image(seed) };
    let vm = host.create_vm(store, config, &image, disk).unwrap();
    host.audit_steps(true);
    let translates = cell.technique == BinaryTranslation;
    let end_ns = if translates { TRANSLATION_END_NS } else { END_NS };
    run(&mut host, store, vm, end_ns);
    host.ledger(vm).unwrap().verify().unwrap();
    let instructions = host.counters(vm).unwrap().instructions();
    if seed.is_multiple_of(3) {
        host.unload(store, 0).unwrap();
        host.destroy_vm(store, vm).unwrap();
        assert_eq!(host.free_frame_count(), host.frame_count());
    } else {
        host.release(store);
    }
    assert_eq!(store.used_bytes(), 0);
    instructions
}

fn play_all(cell: Cell) {
    let instructions = play_on(&profile_for(cell.technique), cell, SEEDS);
    // The prologue has some 340.
    assert!(instructions > 500 * SEEDS, "guests get somewhere: {instructions} instructions");
}

/// The number of instructions that the guests of all seeds executed.
fn play_on(profile: &HardwareProfile, cell: Cell, seeds: u64) -> u64 {
    let mut store = PageStore::new(64 * MIB);
    let mut instructions = 0;
    for seed in 0..seeds {
        // A failure names its seed.
        let played = std::panic::AssertUnwindSafe(|| play(&mut store, profile.clone(), cell, seed));
        let ended = std::panic::catch_unwind(played);
        instructions += ended.unwrap_or_else(|_| panic!("{cell:?}, seed {seed}"));
    }
    instructions
}

#[test]
fn random_guests_on_bare_metal_end_and_leave_nothing_behind() {
    play_all(BareMetal.into());
}

#[test]
fn random_guests_under_the_monitor_end_and_leave_nothing_behind() {
    monitored_cells().into_iter().for_each(play_all);
}

#[test]
fn random_guests_that_announce_the_interface_end_and_leave_nothing_behind() {
    play_all(cell());
}

/// Their first write of a register traps, to a kernel in user mode that has shared no page yet.
#[test]
fn random_guests_that_find_themselves_in_user_mode_end_and_leave_nothing_behind() {
    let legacy = profile_with(IsaProfile::Rv64gcLegacy);
    let instructions = play_on(&legacy, cell(), USER_MODE_SEEDS);
    assert!(instructions > USER_MODE_SEEDS, "{instructions}");
}
