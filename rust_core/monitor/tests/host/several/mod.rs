//! VMs with several vCPUs: what they count together, how they interrupt, start and fence each
//! other, under every technique that runs several, and wherever runs are cut.

mod guests;
mod turns;

use crate::support::{Cell, MIB, assisted_profile, config};
use dcsim_machine::test_utils::Program;
use dcsim_memory::PageStore;
use dcsim_monitor::{ExitReason, Host, PagingKind, TechniqueKind, VmConfig};
use guests::{
    NOTES, barrier, counting, fencing, kicking, ping_pong, restarting, turning_a_page_into_a_table,
};
use turns::{End, Turns};

const CELLS: [Cell; 7] = [
    Cell { technique: TechniqueKind::BareMetal, paging: PagingKind::None },
    Cell { technique: TechniqueKind::TrapAndEmulate, paging: PagingKind::ShadowTlb },
    Cell { technique: TechniqueKind::FourRings, paging: PagingKind::ShadowTlb },
    Cell { technique: TechniqueKind::HardwareAssisted, paging: PagingKind::Nested },
    Cell { technique: TechniqueKind::TrapAndEmulate, paging: PagingKind::ShadowTraced },
    Cell { technique: TechniqueKind::FourRings, paging: PagingKind::ShadowTraced },
    Cell { technique: TechniqueKind::HardwareAssisted, paging: PagingKind::ShadowTraced },
];

fn vm(cell: Cell, vcpus: usize) -> VmConfig {
    VmConfig { vcpus, ..config(cell, 16 * MIB, "") }
}

fn turns(cell: Cell, vcpus: usize, pcpus: usize, program: &Program) -> Turns {
    let pcpus = pcpus_for(cell, vcpus, pcpus);
    Turns::new(assisted_profile(), pcpus, vm(cell, vcpus), &program.bytes())
}

/// A guest that owns its machine has a pCPU for each of its harts.
fn pcpus_for(cell: Cell, vcpus: usize, pcpus: usize) -> usize {
    if is_alone(cell) { vcpus } else { pcpus }
}

fn is_alone(cell: Cell) -> bool {
    cell.technique == TechniqueKind::BareMetal
}

/// Plays a program to its end on `pcpus` pCPUs.
fn play(cell: Cell, vcpus: usize, pcpus: usize, program: &Program) -> End {
    turns(cell, vcpus, pcpus, program).play(&mut || u64::MAX)
}

/// Atomic additions and loops of load-reserved and store-conditional lose nothing.
#[test]
fn what_all_vcpus_count_is_complete() {
    for cell in CELLS {
        for (vcpus, pcpus) in [(1, 1), (2, 2), (4, 4), (8, 3), (3, 1)] {
            let end = play(cell, vcpus, pcpus, &counting(vcpus as u64, 50));
            assert_eq!(end.notes[..2], [50 * vcpus as u64; 2], "{cell:?} {vcpus} {pcpus}");
        }
    }
}

/// Each interrupt wakes the other hart, which is on a pCPU or not.
#[test]
fn interrupts_between_vcpus_arrive() {
    for cell in CELLS {
        for pcpus in [1, 2] {
            let end = play(cell, 2, pcpus, &ping_pong(20));
            assert_eq!(end.notes[..2], [20, 20], "{cell:?} on {pcpus}");
        }
    }
}

/// After a remote fence has returned, no other hart reads through the old translation.
#[test]
fn a_remote_fence_is_over_when_it_returns() {
    for cell in CELLS {
        for pcpus in [1, 2] {
            let end = play(cell, 2, pcpus, &fencing(30));
            let [rounds, stale, ..] = end.notes;
            assert_eq!((rounds, stale), (30, 0), "{cell:?} on {pcpus}");
            if pcpus == 2 {
                assert!(end.exits(ExitReason::RemoteFence) > 0 || is_alone(cell), "{cell:?}");
                assert!(end.cycles("handler:remote_fence") > 0, "{cell:?}");
            }
        }
    }
}

/// What another hart's TLB still lets it write to a page that became a table counts all the same.
#[test]
fn a_page_becomes_a_table_for_all_vcpus() {
    for cell in CELLS {
        for pcpus in [1, 2] {
            let end = play(cell, 2, pcpus, &turning_a_page_into_a_table(20));
            let [rounds, wrong, ..] = end.notes;
            assert_eq!((rounds, wrong), (20, 0), "{cell:?} on {pcpus}");
            if cell.paging == PagingKind::ShadowTraced {
                assert!(end.exits(ExitReason::TracedWrite) >= 20, "{cell:?} on {pcpus}");
            }
        }
    }
}

/// A hart that stopped itself can be started again, and says in between that it is stopped.
#[test]
fn harts_stop_and_start_again() {
    for cell in CELLS {
        for pcpus in [1, 2] {
            let end = play(cell, 2, pcpus, &restarting(5));
            assert_eq!(end.notes[..2], [5, 1], "{cell:?} on {pcpus}");
        }
    }
}

/// A hart that waits for a kick gets it, also if it was kicked before it waited; nothing else ends
/// its wait.
#[test]
fn a_kick_ends_a_wait_for_it() {
    for cell in CELLS {
        for pcpus in [1, 2] {
            let end = play(cell, 2, pcpus, &kicking(10));
            assert_eq!(end.notes[0], 10, "{cell:?} on {pcpus}");
            let waits = end.log.iter().filter(|exit| exit.contains("Spin")).count();
            assert!(
                (1..=10).contains(&waits) || is_alone(cell),
                "{cell:?} on {pcpus}: {waits} waits"
            );
        }
    }
}

/// Cutting runs anywhere changes no byte of the state, no counter and no exit.
#[test]
fn where_runs_are_cut_changes_nothing() {
    let programs = [
        counting(3, 60),
        ping_pong(15),
        fencing(15),
        restarting(4),
        kicking(6),
        turning_a_page_into_a_table(4),
    ];
    for cell in CELLS {
        for (number, program) in programs.iter().enumerate() {
            let vcpus = if number == 0 { 3 } else { 2 };
            let whole = turns(cell, vcpus, 2, program).play(&mut || u64::MAX);
            for step in [17, 401, 7_001] {
                let mut last = step;
                let mut cut = || {
                    last = (last * 7919 + 13) % (2 * step) + 1;
                    last
                };
                let cut = turns(cell, vcpus, 2, program).play(&mut cut);
                assert_eq!(whole.log, cut.log, "{cell:?} program {number} steps of {step}");
                assert!(whole == cut, "{cell:?} program {number} steps of {step}");
            }
        }
    }
}

/// A saved VM goes on with all its vCPUs, under another technique.
#[test]
fn a_saved_vm_carries_all_vcpus() {
    for (number, from) in CELLS.into_iter().enumerate() {
        let to = CELLS[(number + 1) % CELLS.len()];
        for pause_ns in [3_000, 20_000, 33_333] {
            let program = counting(3, 1_000);
            let mut before = turns(from, 3, 2, &program);
            before.play_until(pause_ns);
            let state = before.save();
            let pcpus = pcpus_for(to, 3, 2);
            let after = Turns::restored(assisted_profile(), pcpus, vm(to, 3), &mut before, state);
            let end = after.play(&mut || u64::MAX);
            assert_eq!(end.notes[..2], [3_000, 3_000], "{from:?} to {to:?} after {pause_ns} ns");
        }
    }
}

/// On as many pCPUs as vCPUs, work that shares nothing takes as long as on one for one.
#[test]
fn vcpus_work_at_the_same_time() {
    for cell in CELLS {
        let alone = play(cell, 1, 1, &counting(1, 2_000)).now_ns;
        let together = play(cell, 4, 4, &counting(4, 2_000)).now_ns;
        assert!(together < 2 * alone, "{cell:?}: {together} ns and {alone} ns");
        if !is_alone(cell) {
            let in_turn = play(cell, 4, 1, &counting(4, 2_000)).now_ns;
            assert!(in_turn > 3 * alone, "{cell:?}: {in_turn} ns and {alone} ns");
        }
    }
}

/// All harts meet again and again: none is ahead of another by a round.
#[test]
fn barriers_hold() {
    for cell in CELLS {
        let end = play(cell, 4, 4, &barrier(4, 25));
        assert_eq!(end.notes[..2], [100, 0], "{cell:?}");
    }
}

#[test]
fn what_one_vcpu_alone_can_do_is_refused_to_more() {
    let refused = [
        (TechniqueKind::BinaryTranslation, PagingKind::ShadowTraced),
        (TechniqueKind::BinaryTranslation, PagingKind::ShadowTlb),
    ];
    for (technique, paging) in refused {
        let refusal = vm(Cell { technique, paging }, 2).check_vcpus().unwrap_err();
        assert!(refusal.contains("one vCPU only"), "{refusal}");
    }
    let mut store = PageStore::new(1 << 20);
    let mut host = Host::new(assisted_profile(), 2, 64 * MIB).unwrap();
    let image = counting(3, 1).bytes();
    let refused = host.create_vm(&mut store, vm(CELLS[0], 3), &image, None).unwrap_err();
    assert!(refused.to_string().contains("no more harts than its host has: 2"), "{refused}");
    assert_eq!(NOTES % 4096, 0);
}
