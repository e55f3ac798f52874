//! vCPUs on pCPUs: turns, paths of host software, interrupts, waiting.

use crate::assembly::{Assembler, x};
use crate::support::{MIB, Model, cause, config, profile, run_alone};
use dcsim_hart::isa::Opcode;
use dcsim_machine::Primitive;
use dcsim_monitor::TechniqueKind::{BareMetal, HardwareAssisted, TrapAndEmulate};
use dcsim_monitor::{ExitKind, ExitReason, Host, HostError, VmId};

#[test]
fn a_host_with_more_memory_than_the_simulator_can_have_tables_for_is_refused() {
    for memory_bytes in [u64::MAX, 1 << 60] {
        let refused = Host::new(profile(), 1, memory_bytes).map(|_| ());
        let told = refused.unwrap_err().to_string();
        assert!(told.contains(&memory_bytes.to_string()), "{told}");
    }
}

#[test]
fn turns_on_few_pcpus_change_no_result() {
    let bootargs = "init=suite run=integer:iterations=20,forkwait:n=2,float:steps=200";
    let alone = run_alone(config(TrapAndEmulate, 8 * MIB, bootargs), None);
    for (pcpus, turn_ns) in [(1, 150_000), (2, 333_000), (3, 1_000_000)] {
        let mut model = Model::new(pcpus, 64 * MIB);
        model.turn_ns = turn_ns;
        for _ in 0..4 {
            model.add(config(TrapAndEmulate, 8 * MIB, bootargs), None);
        }
        model.play();
        for outcome in model.outcomes() {
            assert_eq!(outcome.console, alone.console);
            assert!(outcome.counters.walk_references > alone.counters.walk_references);
        }
    }
}

#[test]
fn a_switch_costs_what_it_evicts() {
    let misses = |turn_ns: u64| {
        let mut model = Model::new(1, 64 * MIB);
        model.turn_ns = turn_ns;
        for _ in 0..2 {
            let chase = "init=chase size=65536 steps=20000";
            model.add(config(TrapAndEmulate, 8 * MIB, chase), None);
        }
        model.play();
        model.outcomes()[0].counters.dtlb_misses
    };
    assert!(misses(20_000) > misses(10_000_000));
}

#[test]
fn paths_of_host_software_are_booked_by_name() {
    let mut model = Model::new(1, 64 * MIB);
    let vm = model.add(config(TrapAndEmulate, 8 * MIB, "init=idle"), None);
    let steps = [(Primitive::Trap, 1), (Primitive::SaveRegisters, 1), (Primitive::Alu, 40)];
    let free = model.host.host_path(&mut model.store, 0, "put", &steps).unwrap();
    model.take_turns();
    let spent = model.host.host_path(&mut model.store, 0, "put", &steps).unwrap();
    // Trap latency, a CSR access with 31 stores, and the rest, at one cycle each.
    assert_eq!((free, spent), (30 + 32 + 40, 30 + 32 + 40));
    model.host.unload(&mut model.store, 0).unwrap();
    let ledger = model.host.ledger(vm).unwrap();
    assert_eq!(ledger.causes(), [("host:put".to_owned(), spent)]);
    assert_eq!(ledger.counted(), spent);
}

#[test]
fn host_software_does_its_part_of_every_exit_for_a_reason() {
    let bootargs = "init=syscalls n=50";
    for technique in [TrapAndEmulate, HardwareAssisted] {
        let plain = run_alone(config(technique, 8 * MIB, bootargs), None);
        let mut model = Model::of(technique, 1, 64 * MIB);
        let steps = vec![(Primitive::CsrRead, 8), (Primitive::Store, 8)];
        model.host.set_exit_path(ExitReason::FirmwareCall, steps);
        model.add(config(technique, 8 * MIB, bootargs), None);
        model.play();
        let hosted = model.outcomes().remove(0);
        let calls = hosted.counters.exits().find(|(why, _)| *why == ExitReason::FirmwareCall);
        let path = cause(&hosted, "host:exit_firmware_call");
        assert!(path > 0);
        assert_eq!(path, calls.unwrap().1 * 16);
        assert_eq!(hosted.console, plain.console);
        assert_eq!(cause(&hosted, "handler:firmware_call"), cause(&plain, "handler:firmware_call"));
    }
}

#[test]
fn time_passes_on_a_pcpu_without_a_vcpu_only() {
    let mut model = Model::new(2, 64 * MIB);
    let vm = model.add(config(TrapAndEmulate, 8 * MIB, "init=idle"), None);
    assert_eq!(model.host.let_pass(0, 1_000).unwrap(), model.host.let_pass(1, 1_000).unwrap());
    assert_eq!(model.host.local_time_ns(0).unwrap(), 1_000);
    assert_eq!(model.host.let_pass(0, 400).unwrap(), 0);
    model.host.load(&mut model.store, 1, vm, 0).unwrap();
    assert!(matches!(model.host.let_pass(1, 5_000), Err(HostError::Refused(_))));
    assert!(matches!(model.host.let_pass(2, 5_000), Err(HostError::NoSuchPcpu(2))));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut model = Model::new(2, 64 * MIB);
    let vm = model.add(config(TrapAndEmulate, 8 * MIB, "init=idle"), None);
    let other = model.add(config(TrapAndEmulate, 8 * MIB, "init=idle"), None);
    let (host, store) = (&mut model.host, &mut model.store);
    assert!(matches!(host.load(store, 2, vm, 0), Err(HostError::NoSuchPcpu(2))));
    assert!(matches!(host.load(store, 0, VmId(9), 0), Err(HostError::NoSuchVm(_))));
    assert!(matches!(host.unload(store, 0), Err(HostError::Refused(_))));
    host.load(store, 0, vm, 0).unwrap();
    assert!(matches!(host.load(store, 0, other, 0), Err(HostError::Refused(_))));
    assert!(matches!(host.load(store, 1, vm, 0), Err(HostError::Refused(_))));
    assert!(matches!(host.destroy_vm(store, vm), Err(HostError::Refused(_))));
    assert_eq!(host.loaded(0).unwrap(), Some(vm.into()));
    assert_eq!(host.unload(store, 0).unwrap(), vm.into());
    host.destroy_vm(store, vm).unwrap();
    assert!(matches!(host.counters(vm), Err(HostError::NoSuchVm(_))));
}

#[test]
fn a_waiting_guest_says_when_its_timer_wakes_it() {
    for technique in [BareMetal, TrapAndEmulate] {
        let mut model = Model::new(1, 64 * MIB);
        let vm = model.add(config(technique, 8 * MIB, "init=idle seconds=1 period=100"), None);
        model.take_turns();
        let wake_ns = loop {
            let exit = model.host.run(&mut model.store, 1_000_000_000).unwrap();
            if let ExitKind::Wait { wake_ns } = exit.kind {
                break wake_ns.unwrap();
            }
        };
        model.host.unload(&mut model.store, 0).unwrap();
        assert_eq!(model.host.next_timer_ns(vm).unwrap(), Some(wake_ns));
        assert!(!model.host.runnable(vm, None).unwrap());
        assert!(!model.host.runnable(vm, Some(wake_ns - 1_000)).unwrap());
        assert!(model.host.runnable(vm, Some(wake_ns)).unwrap());
        // It can be left alone until then, on a pCPU or on none.
        model.host.load(&mut model.store, 0, vm, wake_ns).unwrap();
        let before = model.host.counters(vm).unwrap().instructions();
        model.host.run(&mut model.store, wake_ns + 50_000).unwrap();
        assert!(model.host.counters(vm).unwrap().instructions() > before);
    }
}

#[test]
fn time_that_a_guest_waits_on_its_pcpu_is_booked() {
    let outcome = run_alone(config(TrapAndEmulate, 8 * MIB, "init=idle seconds=1"), None);
    assert!(cause(&outcome, "wait") > 900_000_000);
    assert!(cause(&outcome, "handler:wfi") > 0);
}

#[test]
fn interrupts_reach_a_guest_that_is_executing() {
    let disk = dcsim_machine::DiskImage::new(4 * MIB);
    let bootargs = "kernel.tick_ms=1 init=suite parallel=1 run=files,integer:iterations=200";
    let outcome = run_alone(config(TrapAndEmulate, 16 * MIB, bootargs), Some(disk));
    let count = |wanted| {
        outcome.counters.exits().find(|(reason, _)| *reason == wanted).map_or(0, |(_, n)| n)
    };
    assert!(count(ExitReason::Timer) > 3);
    assert!(count(ExitReason::ExternalInterrupt) > 3);
    assert_eq!(outcome.code, Some(0));
}

/// More fences than there are identifiers for address spaces: every one of them ends a tree.
#[test]
fn identifiers_of_address_spaces_begin_again() {
    let mut code = Assembler::default();
    let table = 0x8030_0000u64;
    // A root table that maps the devices' and the memory's gigabyte to themselves.
    for (index, flags) in [(0u64, 0xc7u64), (2, 0xcf)] {
        code.constant(x(5), table + index * 8);
        code.constant(x(6), index << 18 << 10 | flags);
        code.store(Opcode::Sd, x(6), x(5), 0);
    }
    code.constant(x(5), 8 << 60 | table >> 12);
    code.write_csr(0x180, x(5));
    code.constant(x(7), 70_000);
    code.op(Opcode::SfenceVma, x(0), x(0), x(0), 0);
    code.immediate(Opcode::Addi, x(7), x(7), -1);
    code.store(Opcode::Bne, x(0), x(7), -8);
    code.constant(x(5), 0x0010_0000);
    code.constant(x(6), 0x5555);
    code.store(Opcode::Sw, x(6), x(5), 0);
    let mut model = Model::new(1, 16 * MIB);
    model.add_image(config(TrapAndEmulate, 8 * MIB, ""), &code.bytes(), None);
    model.play();
    let outcome = model.outcomes().remove(0);
    assert_eq!(outcome.code, Some(0));
    assert_eq!(
        outcome.counters.exits().find(|(r, _)| *r == ExitReason::AddressFence).unwrap().1,
        70_000
    );
}
