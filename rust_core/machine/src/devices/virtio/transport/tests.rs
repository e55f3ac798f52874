//! The transport and its queues against Virtio 1.2, sections 2 to 4, with drivers good and bad.

use super::super::entropy::EntropyDevice;
use super::super::{DeviceHost, Transport, VirtioDevice};
use super::TransportCounters;
use crate::devices::{AccessFault, Persist};
use crate::random::Random;
use crate::test_utils::{Descriptor, VirtioDriver};

const VERSION_1: u64 = 1 << 32;

fn entropy() -> VirtioDevice {
    VirtioDevice::Entropy(EntropyDevice::new(1))
}

fn ready() -> VirtioDriver {
    VirtioDriver::ready(entropy(), 8)
}

#[test]
fn the_identification_registers() {
    let driver = VirtioDriver::new(entropy());
    assert_eq!(driver.read(0x000), 0x7472_6976);
    assert_eq!(driver.read(0x004), 2);
    assert_eq!(driver.read(0x008), 4);
    assert_eq!((driver.read(0x0b0), driver.read(0x0bc)), (u32::MAX, u32::MAX));
}

#[test]
fn an_empty_slot_is_device_0_and_takes_no_state() {
    let mut driver = VirtioDriver::with_slot(Transport::new(3, None));
    assert_eq!((driver.read(0x000), driver.read(0x004), driver.read(0x008)), (0x7472_6976, 2, 0));
    driver.write(0x70, 1);
    driver.write(0x50, 0);
    assert_eq!(driver.read(0x70), 0);
    assert_eq!(driver.read(0x100), 0);
}

#[test]
fn registers_take_aligned_words_only() {
    let driver = VirtioDriver::new(entropy());
    for (offset, bytes) in [(0, 1), (0, 8), (2, 4)] {
        assert_eq!(driver.transport.load(offset, bytes), Err(AccessFault));
    }
}

#[test]
fn version_1_is_the_second_word_and_required() {
    let mut driver = VirtioDriver::new(entropy());
    driver.write(0x14, 1);
    assert_eq!(driver.read(0x10), 1);
    driver.write(0x14, 2);
    assert_eq!(driver.read(0x10), 0);
    assert!(!driver.negotiate(0), "a legacy driver");
    assert!(!driver.negotiate(VERSION_1 | 1 << 28), "a feature that was not offered");
    assert!(driver.negotiate(VERSION_1));
    driver.write(0x24, 0);
    driver.write(0x20, u32::MAX);
    driver.write(0x70, 0xf);
    assert_eq!(driver.read(0x70), 0xf, "features are fixed once they are accepted");
}

#[test]
fn status_bits_only_grow_until_a_reset() {
    let mut driver = ready();
    driver.write(0x70, 1);
    assert_eq!(driver.read(0x70), 0xf);
    driver.write(0x70, 0x40);
    assert!(!driver.needs_reset(), "only the device sets it");
    assert_eq!(driver.read(0x44), 1);
    driver.write(0x70, 0);
    assert_eq!((driver.read(0x70), driver.read(0x44), driver.read(0x60)), (0, 0, 0));
}

#[test]
fn queue_registers_are_fixed_while_the_queue_is_ready() {
    let mut driver = ready();
    assert_eq!(driver.read(0x34), 256);
    let used = driver.queues[0].used;
    driver.write(0xa0, 0);
    driver.send(0, &[Descriptor::writable(driver.memory_end() - 16, 16)]);
    assert_eq!(driver.take_used(0), Some((0, 16)), "still at {used:#x}");
    driver.write(0x30, 9);
    assert_eq!((driver.read(0x34), driver.read(0x44)), (0, 0), "no such queue");
    driver.write(0x30, 0);
    driver.write(0x44, 0);
    assert_eq!(driver.read(0x44), 0);
}

#[test]
fn a_bad_queue_asks_for_a_reset() {
    for (register, value) in [(0x38, 3), (0x38, 0), (0x38, 512), (0x38, 0x1_0008), (0x80, 8)] {
        let mut driver = VirtioDriver::new(entropy());
        driver.negotiate(VERSION_1);
        driver.write(0x38, 8);
        driver.write(register, value);
        driver.write(0x44, 1);
        assert!(driver.needs_reset(), "{register:#x} = {value:#x}");
        assert_eq!(driver.read(0x44), 0);
    }
}

#[test]
fn interrupts_stay_until_acknowledged() {
    let mut driver = ready();
    let address = driver.allocate(16);
    driver.send(0, &[Descriptor::writable(address, 16)]);
    assert!(driver.transport.interrupt());
    driver.write(0x64, 2);
    assert!(driver.transport.interrupt(), "the other reason was acknowledged");
    assert_eq!(driver.acknowledge(), 1);
    assert!(!driver.transport.interrupt());
}

#[test]
fn a_driver_can_ask_for_silence() {
    let mut driver = ready();
    let (address, available) = (driver.allocate(16), driver.queues[0].available);
    driver.put(available, &1u16.to_le_bytes());
    driver.send(0, &[Descriptor::writable(address, 16)]);
    assert_eq!(driver.take_used(0), Some((0, 16)));
    assert!(!driver.transport.interrupt());
}

#[test]
fn doorbells_before_driver_ok_are_not_heard() {
    let mut driver = VirtioDriver::new(entropy());
    driver.negotiate(VERSION_1);
    driver.set_up_queue(0, 8);
    let address = driver.allocate(16);
    driver.send(0, &[Descriptor::writable(address, 16)]);
    assert_eq!(driver.take_used(0), None);
    driver.write(0x70, 0xf);
    driver.notify(0);
    assert_eq!(driver.take_used(0), Some((0, 16)));
}

#[test]
fn indices_wrap_around() {
    let mut driver = VirtioDriver::ready(entropy(), 2);
    let address = driver.allocate(1);
    for round in 0..70_000u32 {
        driver.send(0, &[Descriptor::writable(address, 1)]);
        assert_eq!(driver.take_used(0), Some(((round % 2) as u16, 1)));
    }
}

/// Makes one request wrong and expects that the device stops, says so, and works after a reset.
fn breaks_the_device(spoil: impl FnOnce(&mut VirtioDriver)) {
    let mut driver = ready();
    spoil(&mut driver);
    driver.notify(0);
    assert!(driver.needs_reset());
    assert_eq!(driver.acknowledge(), 2, "announced as a configuration change");
    assert_eq!(driver.take_used(0), None);
    driver.notify(0);
    assert_eq!(driver.transport.counters().failures, 1, "it does not work on");

    let address = driver.allocate(4);
    assert!(driver.negotiate(VERSION_1));
    driver.set_up_queue(0, 8);
    driver.write(0x70, 0xf);
    driver.send(0, &[Descriptor::writable(address, 4)]);
    assert_eq!(driver.take_used(0), Some((0, 4)));
}

#[test]
fn a_head_outside_the_table_is_refused() {
    breaks_the_device(|driver| driver.publish(0, 8));
}

#[test]
fn a_chain_that_leaves_the_table_is_refused() {
    breaks_the_device(|driver| {
        driver.put_descriptor(0, 0, Descriptor::writable(0x8000_0000, 1), 3, 0xffff);
        driver.publish(0, 0);
    });
}

#[test]
fn a_chain_in_a_circle_is_refused() {
    breaks_the_device(|driver| {
        driver.put_descriptor(0, 0, Descriptor::writable(0x8000_0000, 1), 3, 0);
        driver.publish(0, 0);
    });
}

#[test]
fn a_readable_buffer_behind_a_writable_one_is_refused() {
    breaks_the_device(|driver| {
        let chain = [Descriptor::writable(0x8000_0000, 1), Descriptor::readable(0x8000_0000, 1)];
        driver.offer(0, &chain);
    });
}

#[test]
fn an_indirect_table_is_refused() {
    breaks_the_device(|driver| {
        driver.put_descriptor(0, 0, Descriptor::readable(0x8000_0000, 16), 4, 0);
        driver.publish(0, 0);
    });
}

#[test]
fn buffers_outside_memory_are_refused() {
    for address in [0, u64::MAX, 0x8000_0000 + 512 * 4096 - 1] {
        breaks_the_device(|driver| {
            driver.offer(0, &[Descriptor::writable(address, 2)]);
        });
    }
}

#[test]
fn more_requests_than_descriptors_are_refused() {
    breaks_the_device(|driver| driver.set_available_index(0, 9));
}

#[test]
fn a_queue_outside_memory_is_refused() {
    for register in [0x80, 0x90, 0xa0] {
        let mut driver = ready();
        let address = driver.allocate(4);
        driver.offer(0, &[Descriptor::writable(address, 4)]);
        driver.write(0x44, 0);
        let layout = driver.queues[0];
        driver.write(0x38, 8);
        for (area, place) in
            [(0x80, layout.descriptors), (0x90, layout.available), (0xa0, layout.used)]
        {
            let place = if area == register { 0xffff_ffff_ffff_fff0 } else { place };
            driver.write(area, place as u32);
            driver.write(area + 4, (place >> 32) as u32);
        }
        driver.write(0x44, 1);
        driver.notify(0);
        assert!(driver.needs_reset(), "{register:#x}");
    }
}

#[test]
fn a_device_that_overwrites_its_own_ring_stops_after_one_round() {
    let mut driver = ready();
    let available = driver.queues[0].available;
    // The buffer is the index of the available ring: each request makes others appear.
    driver.offer(0, &[Descriptor::writable(available + 2, 2)]);
    driver.notify(0);
    assert!(driver.transport.counters().notifications == 1);
}

#[test]
fn a_full_store_postpones_the_work_and_loses_nothing() {
    let mut driver = ready();
    let address = driver.allocate(8192).next_multiple_of(4096);
    driver.offer(0, &[Descriptor::writable(address, 16)]);
    let hogs = driver.fill_store();
    driver.notify(0);
    assert!(driver.transport.needs_memory());
    assert_eq!(driver.take_used(0), None);
    assert!(!driver.needs_reset());

    driver.release(hogs);
    driver.with_host(|slot, host: &mut DeviceHost<'_>| slot.process(host)).unwrap();
    assert!(!driver.transport.needs_memory());
    assert_eq!(driver.take_used(0), Some((0, 16)));
    let mut expected = [0; 16];
    Random::new(1).fill(&mut expected);
    assert_eq!(driver.get(address, 16), expected, "the stream did not move on in vain");
}

#[test]
fn a_snapshot_continues_in_the_middle_of_a_queue() {
    let mut driver = ready();
    let address = driver.allocate(32);
    driver.send(0, &[Descriptor::writable(address, 16)]);
    let saved = driver.transport.save();

    driver.transport = Transport::new(0, Some(entropy()));
    driver.transport.restore(&saved).unwrap();
    assert!(driver.transport.interrupt());
    driver.send(0, &[Descriptor::writable(address + 16, 16)]);
    assert_eq!(driver.take_used(0), Some((0, 16)));
    assert_eq!(driver.take_used(0), Some((1, 16)));
    let mut stream = [0; 32];
    Random::new(1).fill(&mut stream);
    assert_eq!(driver.get(address, 32), stream);
    assert_eq!(
        driver.transport.counters(),
        TransportCounters { notifications: 2, interrupts: 2, failures: 0 }
    );
}

#[test]
fn a_state_of_another_kind_is_refused() {
    let saved = ready().transport.save();
    assert!(Transport::new(0, None).restore(&saved).is_err());
    let mut bad = saved.clone();
    bad.notified = 2;
    assert!(Transport::new(0, Some(entropy())).restore(&bad).is_err());
    bad = saved;
    bad.queues[0].size = 7;
    assert!(Transport::new(0, Some(entropy())).restore(&bad).is_err());
}
