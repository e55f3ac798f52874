//! The board as a whole: addresses, interrupt wiring, signals, snapshots.

use super::{Board, BoardConfig, BoardState, map};
use crate::devices::Persist;
use crate::devices::finisher::PowerEvent;
use crate::disk_image::DiskImage;
use crate::random::Random;
use dcsim_hart::{Bus, BusError, InterruptLines, Signal, Width};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};

struct World {
    board: Board,
    store: PageStore,
    frames: Frames,
}

impl World {
    fn new(config: &BoardConfig) -> Self {
        Self {
            board: Board::new(config),
            store: PageStore::new(1 << 24),
            frames: Frames::new(PhysicalAddress(map::MEMORY_BASE), 64),
        }
    }

    fn read(&mut self, address: u64, width: Width) -> Result<u64, BusError> {
        let mut memory = Memory { store: &mut self.store, frames: &mut self.frames };
        Bus::load(&mut self.board, &mut memory, address, width, 2_000)
    }

    fn write(&mut self, address: u64, width: Width, value: u64) -> Result<Signal, BusError> {
        let mut memory = Memory { store: &mut self.store, frames: &mut self.frames };
        Bus::store(&mut self.board, &mut memory, address, width, value, 0)
    }

    fn write_word(&mut self, address: u64, value: u64) {
        self.write(address, Width::Word, value).unwrap();
    }
}

fn two_harts() -> World {
    World::new(&BoardConfig { harts: 2, ..BoardConfig::default() })
}

/// Enables the serial port's interrupt at the device and in the controller for a context.
fn enable_uart(world: &mut World, context: u64) {
    world.write_word(map::PLIC.base + 4 * 10, 1);
    world.write_word(map::PLIC.base + 0x2000 + 0x80 * context, 1 << 10);
    world.write(map::UART.base + 1, Width::Byte, 1).unwrap();
}

#[test]
fn every_device_answers_at_its_address() {
    let mut world = two_harts();
    assert_eq!(world.read(0x0200_bff8, Width::Double), Ok(20), "2000 cycles at 1 GHz, 10 MHz");
    assert_eq!(world.read(0x1000_0005, Width::Byte), Ok(0x60));
    assert_eq!(world.read(0x1000_4008, Width::Word), Ok(4), "entropy in slot 3");
    for slot in [0x1000_1000u64, 0x1000_2000, 0x1000_3000, 0x1000_8000] {
        assert_eq!(world.read(slot, Width::Word), Ok(0x7472_6976));
        assert_eq!(world.read(slot + 8, Width::Word), Ok(0), "empty");
    }
    assert_eq!(world.read(0x0c00_0000, Width::Word), Ok(0));
    assert_eq!(world.read(0x0010_0000, Width::Word), Ok(0));
}

#[test]
fn nothing_answers_between_the_devices() {
    let mut world = two_harts();
    for address in [0, 0x0010_1000, 0x0201_0000, 0x1000_0100, 0x1000_9000, 0x4000_0000, u64::MAX] {
        assert_eq!(world.read(address, Width::Byte), Err(BusError), "{address:#x}");
        assert_eq!(world.write(address, Width::Byte, 0), Err(BusError), "{address:#x}");
    }
    assert_eq!(world.read(0x0010_0ffc, Width::Double), Err(BusError), "across the end");
    assert_eq!(world.read(0x1000_0000, Width::Word), Err(BusError), "bytes only");
}

#[test]
fn the_serial_interrupt_reaches_the_context_that_enabled_it() {
    let mut world = two_harts();
    enable_uart(&mut world, 3);
    assert_eq!(world.board.interrupt_lines(1), InterruptLines::default());
    let mut memory = Memory { store: &mut world.store, frames: &mut world.frames };
    world.board.console_input(&mut memory, b"k").unwrap();
    assert!(world.board.interrupt_lines(1).supervisor_external);
    assert!(!world.board.interrupt_lines(1).machine_external);
    assert!(!world.board.interrupt_lines(0).supervisor_external);

    let claim = map::PLIC.base + 0x20_0004 + 3 * 0x1000;
    assert_eq!(world.read(claim, Width::Word), Ok(10));
    assert!(!world.board.interrupt_lines(1).supervisor_external);
    assert_eq!(world.read(map::UART.base, Width::Byte), Ok(u64::from(b'k')));
    world.write_word(claim, 10);
    assert!(!world.board.interrupt_lines(1).supervisor_external, "the byte was read");
}

#[test]
fn software_and_timer_lines_come_from_the_interruptor() {
    let mut world = two_harts();
    world.write_word(0x0200_0004, 1);
    world.write(0x0200_4008, Width::Double, 77).unwrap();
    let lines = world.board.interrupt_lines(1);
    assert_eq!((lines.machine_software, lines.machine_timer_compare), (true, 77));
    assert_eq!(world.board.interrupt_lines(0), InterruptLines::default());
}

#[test]
fn the_owner_is_called_when_there_is_something_to_do() {
    let mut world = two_harts();
    assert_eq!(world.write(map::UART.base, Width::Byte, 0x41), Ok(Signal::Interrupts));
    assert_eq!(world.board.console_output(), b"A");
    assert_eq!(world.write(0x0010_0000, Width::Word, 0x0007_3333), Ok(Signal::Stop));
    assert_eq!(world.board.power_state(), Some(PowerEvent::Off { code: 7 }));
}

#[test]
fn reset_keeps_the_disk_and_forgets_the_rest() {
    let disk = DiskImage::with_content(1 << 20, b"content").unwrap();
    let mut world = World::new(&BoardConfig { disk: Some(disk.clone()), ..BoardConfig::default() });
    world.write_word(0x0200_0000, 1);
    world.write_word(0x0010_0000, 0x7777);
    world.write_word(0x1000_1070, 1);
    world.board.reset();
    assert_eq!(world.board.power_state(), None);
    assert_eq!(world.board.interrupt_lines(0), InterruptLines::default());
    assert_eq!(world.read(0x1000_1070, Width::Word), Ok(0));
    assert_eq!(world.board.disk(), Some(&disk));
}

#[test]
fn a_snapshot_holds_all_devices_and_the_disk() {
    let config = BoardConfig {
        harts: 2,
        disk: Some(DiskImage::with_content(1 << 20, b"content").unwrap()),
        network: true,
        console: true,
        ..BoardConfig::default()
    };
    let mut world = World::new(&config);
    enable_uart(&mut world, 0);
    world.write_word(0x0200_0004, 1);
    world.write_word(0x1000_2070, 3);
    world.write(map::UART.base, Width::Byte, 0x42).unwrap();
    let saved = world.board.save();

    let empty = DiskImage::new(1 << 20);
    let mut other = Board::new(&BoardConfig { disk: Some(empty), ..config });
    other.restore(&saved).unwrap();
    assert_eq!(other.save(), saved);
    assert_eq!(other.disk(), world.board.disk());
    assert_eq!(other.console_output(), b"B");

    let decoded = BoardState::decode(&saved.encode()).unwrap();
    assert_eq!(decoded, BoardState { disk: None, ..saved });
}

#[test]
fn a_snapshot_of_another_board_is_refused_and_changes_nothing() {
    let mut saved = two_harts().board.save();
    assert!(Board::new(&BoardConfig::default()).restore(&saved).is_err());
    saved.slots.truncate(7);
    let mut board = two_harts().board;
    board.finisher.request(PowerEvent::Reset);
    let before = board.save();
    assert!(board.restore(&saved).is_err());
    assert_eq!(board.save(), before);
}

/// A state in which every kind of device is in use, as bytes.
fn busy_state(config: &BoardConfig) -> Vec<u8> {
    let mut world = World::new(config);
    enable_uart(&mut world, 0);
    for slot in 0..4_u64 {
        let base = 0x1000_1000 + slot * 0x1000;
        for (register, value) in
            [(0x70, 3), (0x24, 1), (0x20, 1), (0x70, 0xb), (0x38, 8), (0x84, 0), (0x44, 1)]
        {
            world.write_word(base + register, value);
        }
        world.write_word(base + 0x70, 0xf);
    }
    world.write(map::UART.base, Width::Byte, 0x42).unwrap();
    world.board.save().encode()
}

#[test]
fn damaged_states_are_refused_or_work() {
    let config = BoardConfig {
        harts: 2,
        disk: Some(DiskImage::new(1 << 20)),
        network: true,
        console: true,
        ..BoardConfig::default()
    };
    let good = busy_state(&config);
    let digits: Vec<usize> =
        (0..good.len()).filter(|index| good[*index].is_ascii_digit()).collect();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let place = digits[random.below(digits.len() as u64) as usize];
            bytes[place] = b'0' + random.below(10) as u8;
        }
        let Ok(state) = BoardState::decode(&bytes) else { continue };
        let mut world = World::new(&config);
        if world.board.restore(&state).is_err() {
            continue;
        }
        for _ in 0..200 {
            let address = 0x1000_1000 + 4 * random.below(0x2000);
            let _ = world.write(address, Width::Word, random.next_u64() >> random.below(64));
            let _ = world.read(map::PLIC.base + 0x20_0004, Width::Word);
            let _ = world.read(map::UART.base + random.below(8), Width::Byte);
            world.board.interrupt_lines(random.below(2) as usize);
        }
    }
}
