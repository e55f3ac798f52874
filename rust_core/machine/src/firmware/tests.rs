//! The SBI calls against the specification, on a platform that only takes notes.

use super::sbi::{Call, Reply, SbiError, serve};
use super::{Fence, HartState, Platform, StartPoint};
use crate::devices::finisher::PowerEvent;

const MEMORY: std::ops::Range<u64> = 0x8000_0000..0x8100_0000;

const BASE: u64 = 0x10;
const TIME: u64 = 0x5449_4d45;
const IPI: u64 = 0x73_5049;
const RFENCE: u64 = 0x5246_4e43;
const HSM: u64 = 0x48_534d;
const SRST: u64 = 0x5352_5354;
const DBCN: u64 = 0x4442_434e;

/// What a platform was asked to do.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Note {
    Timer(u64),
    Interrupt(usize),
    Fence(usize, Fence),
    Start(usize, StartPoint),
    Stop,
    Suspend(Option<StartPoint>),
    Power(PowerEvent),
}

/// Four harts, of which the caller is hart 0 and hart 3 is stopped.
#[derive(Default)]
struct Notebook {
    notes: Vec<Note>,
    output: Vec<u8>,
    input: Vec<u8>,
    written: Vec<(u64, Vec<u8>)>,
}

impl Platform for Notebook {
    fn hart_count(&self) -> usize {
        4
    }

    fn hart_id(&self) -> usize {
        0
    }

    fn set_timer(&mut self, time: u64) {
        self.notes.push(Note::Timer(time));
    }

    fn send_interrupt(&mut self, hart: usize) {
        self.notes.push(Note::Interrupt(hart));
    }

    fn fence(&mut self, hart: usize, fence: Fence) {
        self.notes.push(Note::Fence(hart, fence));
    }

    fn hart_state(&mut self, hart: usize) -> HartState {
        if hart == 3 { HartState::Stopped } else { HartState::Started }
    }

    fn start_hart(&mut self, hart: usize, start: StartPoint) {
        self.notes.push(Note::Start(hart, start));
    }

    fn stop_hart(&mut self) {
        self.notes.push(Note::Stop);
    }

    fn suspend_hart(&mut self, resume: Option<StartPoint>) {
        self.notes.push(Note::Suspend(resume));
    }

    fn is_memory(&mut self, address: u64, bytes: u64) -> bool {
        MEMORY.contains(&address) && bytes <= MEMORY.end - address
    }

    fn read_memory(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = (address + index as u64) as u8;
        }
        true
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> bool {
        self.written.push((address, bytes.to_vec()));
        true
    }

    fn write_console(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
    }

    fn read_console(&mut self) -> Option<u8> {
        (!self.input.is_empty()).then(|| self.input.remove(0))
    }

    fn change_power(&mut self, event: PowerEvent) {
        self.notes.push(Note::Power(event));
    }
}

impl Notebook {
    fn call(&mut self, extension: u64, function: u64, arguments: &[u64]) -> Reply {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        serve(self, &Call { extension, function, arguments: all })
    }
}

/// The reply and the notes of one call.
fn one(extension: u64, function: u64, arguments: &[u64]) -> (Reply, Vec<Note>) {
    let mut notebook = Notebook::default();
    let reply = notebook.call(extension, function, arguments);
    (reply, notebook.notes)
}

fn refused(error: SbiError) -> (Reply, Vec<Note>) {
    (Err(error), Vec::new())
}

#[test]
fn errors_have_the_codes_of_the_specification() {
    let codes = [
        (SbiError::Failed, -1),
        (SbiError::NotSupported, -2),
        (SbiError::InvalidParameter, -3),
        (SbiError::Denied, -4),
        (SbiError::InvalidAddress, -5),
        (SbiError::AlreadyAvailable, -6),
    ];
    for (error, code) in codes {
        assert_eq!(error.code(), code);
    }
}

#[test]
fn unknown_extensions_and_functions_are_not_supported() {
    assert_eq!(one(0x999, 0, &[]), refused(SbiError::NotSupported));
    assert_eq!(one(0, 0, &[65]), refused(SbiError::NotSupported), "no legacy console");
    for extension in [BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN] {
        assert_eq!(one(extension, 99, &[]), refused(SbiError::NotSupported));
        assert_eq!(one(extension | 1 << 32, 0, &[]), refused(SbiError::NotSupported));
    }
}

#[test]
fn the_base_extension_says_what_is_there() {
    assert_eq!(one(BASE, 0, &[]).0, Ok(0x0200_0000), "version 2.0");
    for (extension, available) in [
        (BASE, 1),
        (TIME, 1),
        (IPI, 1),
        (RFENCE, 1),
        (HSM, 1),
        (SRST, 1),
        (DBCN, 1),
        (0x50_4d55, 0),
    ] {
        assert_eq!(one(BASE, 3, &[extension]).0, Ok(available));
    }
    for function in [4, 5, 6] {
        assert_eq!(one(BASE, function, &[]).0, Ok(0));
    }
}

#[test]
fn the_timer_is_set_to_absolute_times() {
    assert_eq!(one(TIME, 0, &[12345]), (Ok(0), vec![Note::Timer(12345)]));
    assert_eq!(one(TIME, 0, &[u64::MAX]), (Ok(0), vec![Note::Timer(u64::MAX)]));
}

#[test]
fn hart_masks_name_existing_harts_or_all() {
    let interrupts = |harts: &[usize]| harts.iter().map(|hart| Note::Interrupt(*hart)).collect();
    assert_eq!(one(IPI, 0, &[0b101, 0]), (Ok(0), interrupts(&[0, 2])));
    assert_eq!(one(IPI, 0, &[0b11, 1]), (Ok(0), interrupts(&[1, 2])));
    assert_eq!(one(IPI, 0, &[0, u64::MAX]), (Ok(0), interrupts(&[0, 1, 2, 3])));
    assert_eq!(one(IPI, 0, &[0, 77]), (Ok(0), interrupts(&[])), "the empty set names no hart");
    for (mask, base) in [(1 << 4, 0), (1, 4), (2, u64::MAX - 1), (1 << 63, 0)] {
        assert_eq!(one(IPI, 0, &[mask, base]), refused(SbiError::InvalidParameter));
    }
}

#[test]
fn fences_cover_everything_or_a_range() {
    let all = |fence| (0..4).map(|hart| Note::Fence(hart, fence)).collect::<Vec<_>>();
    assert_eq!(one(RFENCE, 0, &[0, u64::MAX]), (Ok(0), all(Fence::Instructions)));
    let everything = all(Fence::Everything { asid: None });
    assert_eq!(one(RFENCE, 1, &[0, u64::MAX, 0, 0]), (Ok(0), everything.clone()));
    assert_eq!(one(RFENCE, 1, &[0, u64::MAX, 4096, u64::MAX]), (Ok(0), everything));
    let range = Fence::Range { start: 0x1000, bytes: 0x2000, asid: Some(7) };
    assert_eq!(one(RFENCE, 2, &[2, 0, 0x1000, 0x2000, 7]), (Ok(0), vec![Note::Fence(1, range)]));
    let bad = one(RFENCE, 1, &[1, 0, u64::MAX - 1, 2]);
    assert_eq!(bad, refused(SbiError::InvalidAddress));
    assert_eq!(one(RFENCE, 2, &[1, 0, 0, 0, 1 << 16]), refused(SbiError::InvalidParameter));
    assert_eq!(one(RFENCE, 3, &[1, 0, 0, 0]), refused(SbiError::NotSupported), "no hypervisor");
}

#[test]
fn only_stopped_harts_can_be_started_and_only_in_memory() {
    let start = StartPoint { address: 0x8020_0000, opaque: 42 };
    assert_eq!(one(HSM, 0, &[3, start.address, 42]), (Ok(0), vec![Note::Start(3, start)]));
    assert_eq!(one(HSM, 0, &[1, start.address, 0]), refused(SbiError::AlreadyAvailable));
    assert_eq!(one(HSM, 0, &[4, start.address, 0]), refused(SbiError::InvalidParameter));
    for address in [0, 0x8020_0001, MEMORY.end, u64::MAX] {
        assert_eq!(one(HSM, 0, &[3, address, 0]), refused(SbiError::InvalidAddress));
    }
}

#[test]
fn hart_states_have_the_numbers_of_the_specification() {
    assert_eq!(one(HSM, 2, &[0]).0, Ok(0));
    assert_eq!(one(HSM, 2, &[3]).0, Ok(1));
    assert_eq!(one(HSM, 2, &[4]).0, Err(SbiError::InvalidParameter));
    let states = [HartState::StartPending as u64, HartState::Suspended as u64];
    assert_eq!(states, [2, 4]);
}

#[test]
fn harts_stop_and_suspend() {
    let resume = StartPoint { address: 0x8020_0000, opaque: 5 };
    assert_eq!(one(HSM, 1, &[]), (Ok(0), vec![Note::Stop]));
    assert_eq!(one(HSM, 3, &[0, 1, 0]), (Ok(0), vec![Note::Suspend(None)]));
    assert_eq!(
        one(HSM, 3, &[0x8000_0000, resume.address, 5]),
        (Ok(0), vec![Note::Suspend(Some(resume))])
    );
    assert_eq!(one(HSM, 3, &[0x8000_0000, 1, 5]), refused(SbiError::InvalidAddress));
    for kind in [1, 0x0fff_ffff, 0x1000_0000, 0x8000_0001, 0x9000_0000] {
        assert_eq!(one(HSM, 3, &[kind, 0, 0]), refused(SbiError::InvalidParameter), "{kind:#x}");
    }
}

#[test]
fn the_system_resets_in_the_ways_of_the_specification() {
    let power = |event| (Ok(0), vec![Note::Power(event)]);
    assert_eq!(one(SRST, 0, &[0, 0]), power(PowerEvent::Off { code: 0 }));
    assert_eq!(one(SRST, 0, &[0, 1]), power(PowerEvent::Off { code: 1 }), "system failure");
    assert_eq!(one(SRST, 0, &[1, 0]), power(PowerEvent::Reset));
    assert_eq!(one(SRST, 0, &[2, 0]), power(PowerEvent::Reset));
    for (kind, reason) in [(3, 0), (0xf000_0000, 0), (0, 2), (0, 0xe000_0000)] {
        assert_eq!(one(SRST, 0, &[kind, reason]), refused(SbiError::InvalidParameter));
    }
}

#[test]
fn the_debug_console_writes_from_memory() {
    let mut notebook = Notebook::default();
    assert_eq!(notebook.call(DBCN, 0, &[3, 0x8000_0041, 0]), Ok(3));
    assert_eq!(notebook.call(DBCN, 2, &[0x17a]), Ok(0));
    assert_eq!(notebook.output, b"ABCz");
    for arguments in [[4, MEMORY.end - 3, 0], [1, 0x8000_0000, 1], [u64::MAX, 0x8000_0000, 0]] {
        assert_eq!(notebook.call(DBCN, 0, &arguments), Err(SbiError::InvalidParameter));
    }
    let partial = notebook.call(DBCN, 0, &[1 << 20, 0x8000_0000, 0]);
    assert_eq!(partial, Ok(1 << 16), "a call writes in part rather than without end");
}

#[test]
fn the_debug_console_reads_what_is_there() {
    let mut notebook = Notebook { input: b"hi".to_vec(), ..Notebook::default() };
    assert_eq!(notebook.call(DBCN, 1, &[8, 0x8000_0000, 0]), Ok(2));
    assert_eq!(notebook.call(DBCN, 1, &[8, 0x8000_0000, 0]), Ok(0));
    let written: Vec<u8> = notebook.written.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!((notebook.written[0].0, written.as_slice()), (0x8000_0000, b"hi".as_slice()));
}
