//! The network device against Virtio 1.2, section 5.1.

use super::super::{DeviceRequest, VirtioDevice};
use super::{NetworkCounters, NetworkDevice};
use crate::test_utils::{Descriptor, VirtioDriver};

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

fn ready() -> VirtioDriver {
    VirtioDriver::ready(VirtioDevice::Network(NetworkDevice::new(MAC)), 8)
}

fn counters(driver: &VirtioDriver) -> NetworkCounters {
    match driver.transport.device() {
        Some(VirtioDevice::Network(network)) => network.counters(),
        _ => panic!("no network device"),
    }
}

fn receive(driver: &mut VirtioDriver, frame: &[u8]) -> bool {
    driver.with_host(|slot, host| slot.receive(host, frame)).unwrap()
}

#[test]
fn the_configuration_space() {
    let driver = ready();
    assert_eq!(driver.read(0x008), 1);
    let bytes: Vec<u8> =
        (0..8).map(|i| driver.transport.load(0x100 + i, 1).unwrap() as u8).collect();
    assert_eq!(bytes, [0x52, 0x54, 0, 0x12, 0x34, 0x56, 1, 0], "address, then link up");
}

#[test]
fn a_sent_packet_loses_its_header_and_leaves_at_once() {
    let mut driver = ready();
    let mut content = vec![0; 12];
    content.extend(b"frame");
    let address = driver.allocate_with(&content);
    let chain = [Descriptor::readable(address, 14), Descriptor::readable(address + 14, 3)];
    driver.send(1, &chain);
    assert_eq!(driver.take_requests(), [DeviceRequest::PacketSent { bytes: b"frame".to_vec() }]);
    assert_eq!(driver.take_used(1), Some((0, 0)));
    assert_eq!(driver.acknowledge(), 1);
    assert_eq!((counters(&driver).sent_packets, counters(&driver).sent_bytes), (1, 5));
}

#[test]
fn a_received_packet_gets_a_header_with_one_buffer() {
    let mut driver = ready();
    let address = driver.allocate(64);
    driver.send(0, &[Descriptor::writable(address, 10), Descriptor::writable(address + 10, 54)]);
    assert!(receive(&mut driver, b"hello"));
    assert_eq!(driver.take_used(0), Some((0, 17)));
    assert_eq!(driver.get(address, 17), b"\0\0\0\0\0\0\0\0\0\0\x01\0hello");
    assert!(driver.transport.interrupt());
}

#[test]
fn without_a_buffer_a_packet_is_dropped() {
    let mut driver = ready();
    assert!(!receive(&mut driver, b"lost"));
    let address = driver.allocate(16);
    driver.send(0, &[Descriptor::writable(address, 15)]);
    assert!(!receive(&mut driver, b"four"), "too small by one byte");
    assert!(receive(&mut driver, b"bit"), "the buffer is still there");
    assert_eq!(counters(&driver).dropped_packets, 2);
    assert_eq!(counters(&driver).received_bytes, 3);
}

#[test]
fn a_driver_that_is_not_ready_drops_packets() {
    let mut driver = VirtioDriver::new(VirtioDevice::Network(NetworkDevice::new(MAC)));
    assert!(!receive(&mut driver, b"early"));
    assert_eq!(counters(&driver).dropped_packets, 1);
}

#[test]
fn packets_of_no_possible_size_go_nowhere() {
    let mut driver = ready();
    let address = driver.allocate(70_000);
    for length in [0, 12, 12 + 65_536] {
        driver.send(1, &[Descriptor::readable(address, length)]);
        assert!(driver.take_requests().is_empty(), "{length}");
        assert!(driver.take_used(1).is_some());
    }
    assert_eq!(counters(&driver).oversized_packets, 1);
    assert!(!driver.needs_reset());
}
