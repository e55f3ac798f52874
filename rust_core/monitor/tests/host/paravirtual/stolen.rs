//! The clock of stolen time: what a guest is told is what others had.

use super::{cell, profile_with};
use crate::support::{MIB, Model, config};
use dcsim_hart::IsaProfile;
use dcsim_memory::PAGE_BYTES;
use dcsim_monitor::VmId;

const TURN_NS: u64 = 1_000_000;
const TURNS: u64 = 12;
/// Where the clock is in the shared page.
const STOLEN: usize = 8;
const MEMORY: u64 = 0x8000_0000;

/// Has a VM on the pCPU for a turn. Returns the times at which it came and went.
fn have_turn(model: &mut Model, vm: VmId) -> (u64, u64) {
    let came_ns = model.host.local_time_ns(0).unwrap();
    model.host.load(&mut model.store, 0, vm, came_ns).unwrap();
    model.play_until(model.now_ns + TURN_NS);
    let left_ns = model.host.local_time_ns(0).unwrap();
    model.host.unload(&mut model.store, 0).unwrap();
    (came_ns, left_ns)
}

/// What the guest's shared page says.
fn told_ticks(model: &mut Model, vm: VmId) -> u64 {
    let mut state = model.host.save_vm(&mut model.store, vm).unwrap();
    let address = state.cpu.agreement.as_ref().unwrap().shared.unwrap();
    let page = state.pages[((address - MEMORY) / PAGE_BYTES as u64) as usize];
    let bytes = model.store.page(page)[STOLEN..STOLEN + 8].try_into().unwrap();
    state.release(&mut model.store);
    u64::from_le_bytes(bytes)
}

/// Two guests that never wait take turns: one has exactly what the other has not, in ticks of the
/// time counter between going and coming.
#[test]
fn a_guest_is_told_of_every_tick_that_others_had() {
    for isa in [IsaProfile::Rv64gc, IsaProfile::Rv64gcLegacy] {
        let profile = profile_with(isa);
        let tick_ns = profile.timing.hz / profile.timing.timebase_hz;
        let mut model = Model::with_profile(profile, 1, 64 * MIB);
        let busy = || config(cell(), 8 * MIB, "init=integer iterations=1000000");
        let [vm, other] = [(); 2].map(|()| model.add(busy(), None));
        let (_, mut left_ns) = have_turn(&mut model, vm);
        let mut stolen_ticks = 0;
        for _ in 0..TURNS {
            have_turn(&mut model, other);
            let (came_ns, left) = have_turn(&mut model, vm);
            stolen_ticks += came_ns / tick_ns - left_ns / tick_ns;
            left_ns = left;
        }
        assert!(stolen_ticks * tick_ns >= TURNS * TURN_NS);
        assert_eq!(told_ticks(&mut model, vm), stolen_ticks, "{}", isa.name());
    }
}

/// Nobody steals from a guest that has nothing to do.
#[test]
fn a_wait_is_not_stolen() {
    let mut model = Model::new(1, 64 * MIB);
    let vm = model.add(config(cell(), 8 * MIB, "init=idle seconds=1"), None);
    for _ in 0..3 {
        have_turn(&mut model, vm);
        model.now_ns += TURN_NS;
    }
    assert_eq!(told_ticks(&mut model, vm), 0);
}
