//! Every kind of device against drivers that write anything anywhere: nothing panics, nothing
//! hangs, and after a reset the device works.

use super::balloon::BalloonDevice;
use super::block::BlockDevice;
use super::console::VirtioConsole;
use super::entropy::EntropyDevice;
use super::network::NetworkDevice;
use super::{DeviceRequest, IoStatus, Transport, VirtioDevice};
use crate::disk_image::DiskImage;
use crate::random::Random;
use crate::test_utils::VirtioDriver;

fn devices() -> Vec<VirtioDevice> {
    vec![
        VirtioDevice::Block(BlockDevice::new(DiskImage::new(1 << 20))),
        VirtioDevice::Network(NetworkDevice::new([2, 0, 0, 0, 0, 1])),
        VirtioDevice::Console(VirtioConsole::default()),
        VirtioDevice::Entropy(EntropyDevice::new(7)),
        VirtioDevice::Balloon(BalloonDevice::new(512 * 4096, true)),
    ]
}

/// Numbers that break things more often than random ones do.
fn odd_number(random: &mut Random) -> u64 {
    let edges = [0, 1, 2, 7, 8, 16, 511, 512, 0xffff, 0x8000_0000, 0x801f_ffff, u64::MAX];
    match random.below(3) {
        0 => edges[random.below(edges.len() as u64) as usize],
        1 => 0x8000_0000 + random.below(512 * 4096),
        _ => random.next_u64() >> random.below(64),
    }
}

/// One hostile act: a register, a word of a ring, a doorbell, a packet or a completion.
fn act(driver: &mut VirtioDriver, random: &mut Random) {
    let queue = random.below(driver.queues.len() as u64) as usize;
    match random.below(8) {
        0 => {
            let offset = 4 * random.below(0x44);
            driver.write(offset, odd_number(random) as u32);
        }
        1..=3 => {
            let layout = driver.queues[queue];
            let area =
                [layout.descriptors, layout.available, layout.used][random.below(3) as usize];
            let place = area + 2 * random.below(32);
            let value = odd_number(random).to_le_bytes();
            let length = 1 << random.below(4);
            driver.put(place, &value[..length]);
        }
        4 => {
            let _ = driver.with_host(|slot, host| slot.receive(host, &[1; 60]));
            let _ = driver.with_host(Transport::ask_statistics);
            driver.transport.announce_config();
        }
        _ => driver.notify(queue),
    }
    for request in driver.take_requests() {
        if let DeviceRequest::Block { tag, .. }
        | DeviceRequest::Flush { tag }
        | DeviceRequest::Discard { tag, .. }
        | DeviceRequest::Balloon { tag, .. } = request
        {
            let _ = driver.complete(tag, IoStatus::Done);
        }
    }
}

#[test]
fn hostile_drivers_break_nothing() {
    for seed in 0..150 {
        for device in devices() {
            let mut random = Random::new(seed);
            let mut driver = VirtioDriver::ready(device, 8);
            for _ in 0..400 {
                act(&mut driver, &mut random);
            }
            driver.write(0x70, 0);
            assert_eq!(driver.read(0x70), 0);
            assert!(driver.negotiate(1 << 32));
        }
    }
}
