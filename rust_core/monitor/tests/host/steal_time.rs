//! The SBI's steal-time accounting: the record that a hart can have, under every technique with a
//! monitor.

use crate::support::{MIB, assisted_profile, config, monitored_cells};
use dcsim_hart::isa::Register as R;
use dcsim_machine::test_utils::Program;
use dcsim_memory::PageStore;
use dcsim_monitor::{ExitKind, Host, VmConfig, VmId};

const MEMORY: u64 = 0x8000_0000;
const BASE: u64 = 0x8020_0000;
const NOTES: u64 = 0x8030_0000;
const RECORD: u64 = 0x8031_0040;
const STEAL_TIME: u64 = 0x53_5441;
const PROBE: [u64; 2] = [0x10, 3];
const ALL: u64 = u64::MAX;

/// Errors of the SBI.
const DONE: i64 = 0;
const NO_FUNCTION: i64 = -2;
const PARAMETER: i64 = -3;
const ADDRESS: i64 = -5;

/// Calls of function 0 with address and flags, and what they answer.
const CALLS: [([u64; 3], i64); 7] = [
    ([RECORD + 32, 0, 0], PARAMETER),
    ([RECORD, 0, 1], PARAMETER),
    ([RECORD, 1, 0], ADDRESS),
    ([0x1000, 0, 0], ADDRESS),
    ([MEMORY + 16 * MIB, 0, 0], ADDRESS),
    ([ALL, ALL, 0], DONE),
    ([RECORD, 0, 0], DONE),
];

/// A guest that makes all calls, then looks at its record until there is something in it; then it gives
/// the record back and waits for the number 1 where the test writes nothing.
fn guest() -> Program {
    let mut code = Program::new(BASE);
    // What was there before has to go.
    code.li(R::R5, RECORD).li(R::R6, ALL);
    for offset in 0..8 {
        code.sd(R::R6, R::R5, 8 * offset);
    }
    code.call(PROBE[0], PROBE[1], &[STEAL_TIME]);
    code.li(R::R5, NOTES).sd(R::R11, R::R5, 0);
    for (number, (arguments, _)) in (1..).zip(CALLS) {
        code.call(STEAL_TIME, 0, &arguments);
        code.li(R::R5, NOTES).sd(R::R10, R::R5, 8 * number);
    }
    code.call(STEAL_TIME, 1, &[]);
    code.li(R::R5, NOTES).sd(R::R10, R::R5, 64);
    code.li(R::R5, RECORD).li(R::R6, NOTES);
    let again = code.label();
    code.ld(R::R7, R::R5, 8).beq(R::R7, R::R0, again);
    for offset in 0..8 {
        code.ld(R::R7, R::R5, 8 * offset).sd(R::R7, R::R6, 72 + 8 * offset);
    }
    code.call(STEAL_TIME, 0, &[ALL, ALL, 0]);
    code.li(R::R5, NOTES).li(R::R6, 1).sd(R::R6, R::R5, 256);
    code.spin();
    code
}

struct World {
    store: PageStore,
    host: Host,
    vm: VmId,
    now_ns: u64,
}

impl World {
    fn new(config: VmConfig) -> Self {
        let mut store = PageStore::new(1 << 28);
        let mut host = Host::new(assisted_profile(), 1, 64 * MIB).unwrap();
        let vm = host.create_vm(&mut store, config, &guest().bytes(), None).unwrap();
        Self { store, host, vm, now_ns: 0 }
    }

    /// Lets the guest have the pCPU for a while, after it was robbed.
    fn turn(&mut self, stolen_ns: u64) {
        self.host.load(&mut self.store, 0, (self.vm, 0), self.now_ns).unwrap();
        self.host.tell_stolen_time((self.vm, 0), stolen_ns).unwrap();
        self.now_ns += 1_000_000;
        let exit = self.host.run(&mut self.store, self.now_ns).unwrap();
        assert_eq!(exit.kind, ExitKind::Until);
        self.host.unload(&mut self.store, 0).unwrap();
    }

    /// What lies at an address of the guest's.
    fn read(&mut self, address: u64) -> u64 {
        let mut state = self.host.save_vm(&mut self.store, self.vm).unwrap();
        let page = self.store.page(state.pages[((address - MEMORY) / 4096) as usize]);
        let bytes = page[(address % 4096) as usize..][..8].try_into().unwrap();
        state.release(&mut self.store);
        u64::from_le_bytes(bytes)
    }

    fn note(&mut self, number: u64) -> u64 {
        self.read(NOTES + 8 * number)
    }
}

#[test]
fn a_guest_reads_in_its_record_what_was_stolen() {
    for cell in monitored_cells() {
        let mut world = World::new(config(cell, 16 * MIB, ""));
        // Before there is a record, what is stolen is in none.
        world.turn(5_000);
        assert_eq!(world.note(0), 1, "{cell:?} offers it");
        for (number, (arguments, answer)) in (1..).zip(CALLS) {
            assert_eq!(world.note(number) as i64, answer, "{cell:?} {arguments:x?}");
        }
        assert_eq!(world.note(8) as i64, NO_FUNCTION, "{cell:?}");
        assert_eq!(world.note(10), 0, "{cell:?}: the guest found something before it was told");
        world.turn(0);
        world.turn(70_000);
        let seen: Vec<_> = (9..17).map(|number| world.note(number)).collect();
        // A sequence number that is even, flags, the time, and zeros.
        assert_eq!(seen, [seen[0] & 0xffff_fffe, 70_000, 0, 0, 0, 0, 0, 0], "{cell:?}");
        assert_ne!(seen[0], 0, "{cell:?}: writing changes the sequence number");
        assert_eq!(world.note(32), 1, "{cell:?}");
        world.turn(400);
        assert_eq!(world.read(RECORD + 8), 70_000, "{cell:?} gave its record back");
    }
}

#[test]
fn a_restored_guest_keeps_its_record() {
    for cell in monitored_cells() {
        let mut before = World::new(config(cell, 16 * MIB, ""));
        before.turn(0);
        let state = before.host.save_vm(&mut before.store, before.vm).unwrap();
        let mut host = Host::new(assisted_profile(), 1, 64 * MIB).unwrap();
        let restored = config(cell, 16 * MIB, "");
        let vm = host.restore_vm(&mut before.store, restored, &state, None).unwrap();
        let mut after = World { store: before.store, host, vm, now_ns: before.now_ns };
        after.turn(300);
        assert_eq!(after.note(10), 300, "{cell:?}");
    }
}
