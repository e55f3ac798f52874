//! A kernel in user mode does nothing there that would be sensitive.

use super::test_world::World;
use crate::cpu_state::CpuState;
use crate::life::Monitored;
use crate::technique::{Phase, Step, Technique};
use dcsim_hart::IsaProfile;
use dcsim_machine::device_tree::device_tree;
use dcsim_machine::loader::{Plan, load};
use dcsim_machine::{BoardConfig, PowerEvent};
use dcsim_memory::PAGE_BYTES;

const RAM_BYTES: u64 = 8 << 20;
const LIMIT_CYCLES: u64 = 10_000_000_000;

/// Calls, faults, floating point, sleep, and enough work for time slices to end.
const PROGRAMS: &str =
    "forkwait:n=3,float:steps=20,idle:seconds=1,faults:n=2,chase:size=65536:steps=200000";

/// The pCPU's profile is another than that for which the guest is made: on it every sensitive instruction traps in user mode. A kernel that executed one would
/// be handed an illegal instruction of its own, and panic.
#[test]
fn the_kernel_executes_no_sensitive_instruction() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dcsim/guest/images/kernel.elf");
    let image = std::fs::read(path).unwrap();
    let config = BoardConfig {
        ram_bytes: RAM_BYTES,
        bootargs: format!("kernel.tick_ms=1 init=suite run={PROGRAMS} parallel=1"),
        ..BoardConfig::default()
    };
    let tree = device_tree(&config).unwrap();
    let mut world = World::new(2 * RAM_BYTES / PAGE_BYTES as u64, &config);
    let plan = Plan::read(&image).unwrap();
    let pages = RAM_BYTES / PAGE_BYTES as u64;
    let mut guest = world.guest(IsaProfile::Rv64gcLegacy, pages, |memory| {
        let placement = load(memory, RAM_BYTES, &plan, &tree).unwrap();
        CpuState::at_entry(placement.entry, placement.device_tree)
    });
    guest.load(&mut world.site());
    while world.board.power_state().is_none() && world.pcpu.hart.clock.cycles < LIMIT_CYCLES {
        let step = guest.step(&mut world.site(), LIMIT_CYCLES).unwrap();
        assert!(matches!(step, Step::Done | Step::Wait(Some(_))), "{step:?}");
        assert_ne!(guest.life().phase, Phase::Stopped);
    }
    let console = String::from_utf8(world.board.console_output()).unwrap();
    assert_eq!(world.board.power_state(), Some(PowerEvent::Off { code: 0 }), "{console}");
    assert!(console.contains("result suite failed=0"), "{console}");
}
