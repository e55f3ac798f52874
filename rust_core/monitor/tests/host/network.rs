//! Packets in and out of a guest.

use crate::support::{MIB, Model, config};
use dcsim_monitor::TechniqueKind::{self, BareMetal, TrapAndEmulate};
use dcsim_monitor::{ExitKind, VmConfig, VmId};
use std::collections::BTreeMap;

const REQUESTS: u64 = 12;

/// A request as the guest's server expects it: Ethernet header, then little-endian fields.
fn request(number: u64) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 9, 0x88, 0xb5];
    frame.extend_from_slice(&0x7172_6364u32.to_le_bytes());
    frame.extend_from_slice(&64u32.to_le_bytes());
    frame.extend_from_slice(&number.to_le_bytes());
    for field in [5 + number as u32, 3, 0, 40] {
        frame.extend_from_slice(&field.to_le_bytes());
    }
    frame.resize(14 + 64, number as u8);
    frame
}

/// The number and the result in an answer.
fn answer(frame: &[u8]) -> (u64, u64) {
    let payload = &frame[14..];
    assert_eq!(payload[..4], 0x7072_6364u32.to_le_bytes());
    assert_eq!(frame[..6], [0x02, 0, 0, 0, 0, 9], "to who asked");
    let field = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
    (field(8), field(16))
}

fn serve(technique: TechniqueKind, every: u64) -> (BTreeMap<u64, u64>, String) {
    let mut model = Model::new(1, 64 * MIB);
    let bootargs = format!("init=server requests={REQUESTS}");
    let config = VmConfig { network: true, ..config(technique, 16 * MIB, &bootargs) };
    let vm = model.add(config, None);
    model.host.fail_frame_allocations(every);
    model.take_turns();
    let mut answers = BTreeMap::new();
    let mut sent = 0;
    loop {
        let until_ns = model.now_ns + 200_000;
        let exit = model.host.run(&mut model.store, until_ns).unwrap();
        model.now_ns = model.now_ns.max(exit.time_ns);
        match exit.kind {
            ExitKind::Until => sent += u64::from(deliver(&mut model, vm, sent)),
            ExitKind::Packet { payload } => answers.extend([answer(&payload)]),
            ExitKind::Shutdown { code } => {
                assert_eq!(code, 0);
                let console = model.host.console_output(vm).unwrap();
                return (answers, String::from_utf8(console).unwrap());
            }
            _ => {}
        }
        assert!(model.now_ns < model.limit_ns);
    }
}

/// Tries to hand the next request to the guest.
fn deliver(model: &mut Model, vm: VmId, number: u64) -> bool {
    let frame = request(number);
    number < REQUESTS
        && model.host.deliver_packet(&mut model.store, vm, &frame, model.now_ns).unwrap()
}

#[test]
fn a_server_answers_alike_under_both_techniques() {
    let (answers, console) = serve(BareMetal, 0);
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), (0..REQUESTS).collect::<Vec<_>>());
    assert!(console.contains("result server requests=12"), "{console}");
    assert_eq!(serve(TrapAndEmulate, 0), (answers.clone(), console.clone()));
    assert_eq!(serve(TrapAndEmulate, 3), (answers, console));
}

#[test]
fn a_guest_without_a_network_device_loses_packets() {
    let mut model = Model::new(1, 64 * MIB);
    let vm = model.add(config(TrapAndEmulate, 16 * MIB, "init=idle"), None);
    assert!(!deliver(&mut model, vm, 0));
}
