//! Where supervisor mode cannot be held, the kernel runs in user mode beside its programs.

use super::{cell, exits, profile_with};
use crate::support::{MIB, Model, Outcome, config};
use dcsim_hart::IsaProfile;
use dcsim_monitor::TechniqueKind::BareMetal;
use dcsim_monitor::{HostError, VmConfig};

const LEGACY: [IsaProfile; 2] = [IsaProfile::Rv64gcLegacySilent, IsaProfile::Rv64gcLegacy];

fn run(isa: IsaProfile, config: VmConfig) -> Outcome {
    let mut model = Model::with_profile(profile_with(isa), 1, 64 * MIB);
    model.add(config, None);
    model.play();
    model.outcomes().remove(0)
}

#[test]
fn every_trap_is_handed_over_and_the_outcome_is_that_of_bare_metal() {
    let bootargs = "kernel.tick_ms=1 init=suite";
    for isa in LEGACY {
        let bare = run(isa, config(BareMetal, 16 * MIB, bootargs));
        let called = run(isa, config(cell(), 16 * MIB, bootargs));
        assert_eq!((&called.console, called.code), (&bare.console, Some(0)), "{}", isa.name());
        assert!(bare.console.contains("digest"), "{}", bare.console);
        for reason in ["system_call", "guest_page_fault", "hypercall_return", "timer"] {
            assert!(exits(&called, reason) > 0, "{reason}");
        }
        for reason in ["csr_access", "sret", "wfi", "sfence_vma"] {
            assert_eq!(exits(&called, reason), 0, "{reason}");
        }
    }
}

/// A kernel cannot change the mode that it was made at home in.
#[test]
fn a_saved_guest_is_refused_where_its_kernel_would_run_in_another_mode() {
    for (from, to) in [
        (IsaProfile::Rv64gc, IsaProfile::Rv64gcLegacy),
        (IsaProfile::Rv64gcLegacySilent, IsaProfile::Rv64gch),
    ] {
        let guest = || config(cell(), 16 * MIB, "init=idle seconds=1");
        let mut model = Model::with_profile(profile_with(from), 1, 64 * MIB);
        let vm = model.add(guest(), None);
        model.take_turns();
        model.play_until(2_000_000);
        model.host.unload(&mut model.store, 0).unwrap();
        let mut state = model.host.save_vm(&mut model.store, vm).unwrap();
        let mut other = Model::with_profile(profile_with(to), 1, 64 * MIB);
        let refused = other.host.restore_vm(&mut model.store, guest(), &state, None).unwrap_err();
        let HostError::State(why) = refused else { panic!("{refused}") };
        assert!(why.contains("user mode") && why.contains(to.name()), "{why}");
        state.release(&mut model.store);
    }
}
