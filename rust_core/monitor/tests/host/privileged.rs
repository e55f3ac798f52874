//! Generated kernels that try everything a supervisor may and may not do, under all techniques.
//!
//! In the end all registers, all devices and all of memory must be the same on bare metal and under
//! a monitor.

use crate::generated::{Generator, LOG};
use crate::support::{Cell, MIB, Model, cells, config, monitored_cells};
use dcsim_machine::random::Random;
use dcsim_memory::PageStore;
use dcsim_monitor::TechniqueKind::{BareMetal, BinaryTranslation, FourRings, HardwareAssisted};
use dcsim_monitor::{ExitReason, MarkUpdates, PagingKind, VmConfig, VmState};
use std::collections::BTreeSet;

/// Runs a kernel to its end and takes its state, with the exits by reason.
fn run(
    store: &mut PageStore,
    config: VmConfig,
    image: &[u8],
    audited: bool,
) -> (VmState, BTreeSet<ExitReason>) {
    let mut model = Model::of(config.technique, 1, 16 * MIB);
    std::mem::swap(&mut model.store, store);
    model.limit_ns = 100_000_000;
    model.host.audit_steps(audited);
    let vm = model.add_image(config, image, None);
    model.play();
    let state = model.host.save_vm(&mut model.store, vm).unwrap();
    let reasons = model.host.counters(vm).unwrap().exits().map(|(reason, _)| reason).collect();
    model.host.release(&mut model.store);
    std::mem::swap(&mut model.store, store);
    (state, reasons)
}

/// Runs a generated kernel on bare metal and in a cell, and asserts that nothing differs. Every other one
/// runs on harts that fault where an accessed or dirty bit is missing.
fn assert_alike(cell: Cell, seed: u64) -> BTreeSet<ExitReason> {
    let image = Generator::new(seed).image(120);
    let mut store = PageStore::new(1 << 28);
    let marks = if seed.is_multiple_of(2) { MarkUpdates::Hardware } else { MarkUpdates::Fault };
    let on = |cell| VmConfig { mark_updates: marks, ..config(cell, 8 * MIB, "") };
    let (mut bare, _) = run(&mut store, on(BareMetal.into()), &image, false);
    let (mut emulated, reasons) = run(&mut store, on(cell), &image, seed.is_multiple_of(4));
    let found = bare.differences(&emulated, &store);
    let record = first_record(&bare, &emulated, &store);
    assert!(found.is_empty(), "{cell:?} seed {seed}: {found:?} {record:?}");
    bare.release(&mut store);
    emulated.release(&mut store);
    assert_eq!(store.used_bytes(), 0);
    reasons
}

/// The first record of the log that differs, under each technique.
fn first_record(bare: &VmState, emulated: &VmState, store: &PageStore) -> Option<String> {
    let first_page = (LOG - 0x8000_0000) as usize / 4096;
    let log = |state: &VmState| -> Vec<u8> {
        let pages = state.pages[first_page..first_page + 16].iter();
        pages.flat_map(|page| store.page(*page).iter().copied()).collect()
    };
    let (left, right) = (log(bare), log(emulated));
    let mut pairs = left.chunks(64).zip(right.chunks(64)).enumerate();
    let (number, (left, right)) = pairs.find(|(_, (left, right))| left != right)?;
    Some(format!(
        "record {number}: cause, pc, value, status, instructions, pending, enabled, x5: {:?} {:?}",
        words(left),
        words(right)
    ))
}

fn words(record: &[u8]) -> Vec<String> {
    let words = record.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    words.map(|word| format!("{word:x}")).collect()
}

/// What a guest of the hypervisor extension does without its monitor.
const KERNEL_S_OWN: [ExitReason; 2] = [ExitReason::SupervisorReturn, ExitReason::SystemCall];

/// What a guest with page tables that the hart walks does without its monitor.
const TABLES_OWN: [ExitReason; 3] =
    [ExitReason::AddressFence, ExitReason::GuestPageFault, ExitReason::ShadowFill];

#[test]
fn generated_kernels_behave_alike_under_all_techniques() {
    use ExitReason::{
        CodeWrite, ExternalInterrupt, FirmwareTrap, FloatWindow, InterprocessorInterrupt,
        MissingInstruction, MmioNotify, ProgramStart, RemoteFence, SecondStageFill, SpinWait,
        SystemCall, Timer, TracedWrite, Translation, TranslationMap,
    };
    for cell in monitored_cells() {
        let seen: BTreeSet<_> = (0..120).flat_map(|seed| assert_alike(cell, seed)).collect();
        // The others belong to interrupts that come from outside and to bare metal, to what a
        // kernel with a supervisor mode of its own handles itself, and to kernels that know their
        // monitor.
        let of_others = |reason: &ExitReason| *reason < ExitReason::WindowFill;
        let possible = ExitReason::ALL.into_iter().filter(of_others);
        let missing: Vec<_> = possible.filter(|reason| !seen.contains(reason)).collect();
        let mut expected = vec![Timer, ExternalInterrupt, FirmwareTrap];
        // Kernels here drive no device, have one hart, and are kernels; their host lacks nothing.
        expected.extend([MmioNotify, InterprocessorInterrupt, RemoteFence, SpinWait, ProgramStart]);
        expected.push(MissingInstruction);
        expected.extend((cell.technique == FourRings).then_some(SystemCall));
        expected
            .extend((cell.technique == HardwareAssisted).then_some(KERNEL_S_OWN).iter().flatten());
        expected.extend((cell.paging == PagingKind::Nested).then_some(TABLES_OWN).iter().flatten());
        expected.extend((cell.paging != PagingKind::Nested).then_some(SecondStageFill));
        expected.extend((cell.paging != PagingKind::ShadowTraced).then_some(TracedWrite));
        // Kernels here do not write to their code.
        expected.push(CodeWrite);
        if cell.technique != BinaryTranslation {
            expected.extend([FloatWindow, Translation, TranslationMap]);
        }
        expected.sort_unstable();
        assert_eq!(missing, expected, "{cell:?}");
    }
}

/// Whatever the bytes are, the host goes on.
#[test]
fn random_bytes_as_a_kernel_harm_nobody() {
    let mut image = vec![0; 16 << 10];
    for seed in 0..300 {
        Random::new(seed).fill(&mut image);
        for cell in cells() {
            let mut model = Model::of(cell.technique, 1, 4 * MIB);
            let vm = model.add_image(config(cell, 4 * MIB - 65536, ""), &image, None);
            model.take_turns();
            model.play_until(200_000);
            assert!(model.host.ledger(vm).unwrap().verify().is_ok(), "seed {seed}");
        }
    }
}
