//! The entropy device against Virtio 1.2, section 5.4.

use super::super::VirtioDevice;
use super::{EntropyCounters, EntropyDevice};
use crate::random::Random;
use crate::test_utils::{Descriptor, VirtioDriver};

#[test]
fn buffers_are_filled_from_the_seeds_stream() {
    let mut driver = VirtioDriver::ready(VirtioDevice::Entropy(EntropyDevice::new(42)), 4);
    let address = driver.allocate(32);
    driver.send(0, &[Descriptor::writable(address, 8), Descriptor::writable(address + 8, 24)]);
    let mut expected = [0; 32];
    Random::new(42).fill(&mut expected);
    assert_eq!(driver.take_used(0), Some((0, 32)));
    assert_eq!(driver.get(address, 32), expected);
}

#[test]
fn a_request_gets_at_most_a_page() {
    let mut driver = VirtioDriver::ready(VirtioDevice::Entropy(EntropyDevice::new(0)), 4);
    let address = driver.allocate(10_000);
    driver.send(0, &[Descriptor::writable(address, 10_000)]);
    assert_eq!(driver.take_used(0), Some((0, 4096)));
    match driver.transport.device() {
        Some(VirtioDevice::Entropy(entropy)) => {
            assert_eq!(entropy.counters(), EntropyCounters { requests: 1, bytes: 4096 });
        }
        _ => panic!("no entropy device"),
    }
}

#[test]
fn a_request_without_room_gets_nothing() {
    let mut driver = VirtioDriver::ready(VirtioDevice::Entropy(EntropyDevice::new(0)), 4);
    let address = driver.allocate(16);
    driver.send(0, &[Descriptor::readable(address, 16)]);
    assert_eq!(driver.take_used(0), Some((0, 0)));
}
