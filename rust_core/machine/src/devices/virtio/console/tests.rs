//! The console device against Virtio 1.2, section 5.3.

use super::super::VirtioDevice;
use super::VirtioConsole;
use crate::test_utils::{Descriptor, VirtioDriver};

fn device() -> VirtioDevice {
    VirtioDevice::Console(VirtioConsole::default())
}

fn ready() -> VirtioDriver {
    VirtioDriver::ready(device(), 4)
}

fn type_in(driver: &mut VirtioDriver, bytes: &[u8]) {
    if let Some(VirtioDevice::Console(console)) = driver.transport.device_mut() {
        assert_eq!(console.accept(bytes), bytes.len());
    }
    driver.with_host(|slot, host| slot.offer(0, host)).unwrap();
}

#[test]
fn what_the_guest_transmits_reaches_the_console() {
    let mut driver = ready();
    assert_eq!(driver.read(0x008), 3);
    let address = driver.allocate_with(b"hello world");
    driver.send(1, &[Descriptor::readable(address, 6), Descriptor::readable(address + 6, 5)]);
    assert_eq!(driver.console.take(), b"hello world");
    assert_eq!(driver.take_used(1), Some((0, 0)));
}

#[test]
fn input_fills_buffers_and_waits_for_more() {
    let mut driver = ready();
    type_in(&mut driver, b"abcdef");
    let address = driver.allocate(8);
    driver.send(0, &[Descriptor::writable(address, 4)]);
    assert_eq!(driver.take_used(0), Some((0, 4)));
    driver.send(0, &[Descriptor::writable(address + 4, 4)]);
    assert_eq!(driver.take_used(0), Some((1, 2)));
    assert_eq!(driver.get(address, 6), b"abcdef");
    driver.send(0, &[Descriptor::writable(address, 4)]);
    assert_eq!(driver.take_used(0), None, "nothing to read");
    type_in(&mut driver, b"g");
    assert_eq!(driver.take_used(0), Some((2, 1)));
}

#[test]
fn a_guest_may_write_before_it_is_set_up() {
    let mut driver = VirtioDriver::new(device());
    driver.write(0x108, u32::from(b'!'));
    assert_eq!(driver.console.take(), b"!");
}

#[test]
fn an_endless_message_is_cut() {
    let mut driver = ready();
    let address = driver.allocate(1 << 20);
    let piece = Descriptor::readable(address, 1 << 20);
    driver.send(1, &[piece, piece, piece]);
    assert_eq!(driver.console.written_bytes(), 1 << 20);
}

#[test]
fn the_backlog_is_bounded() {
    let mut console = VirtioConsole::default();
    assert_eq!(console.accept(&vec![0; 100_000]), 65_536);
    assert_eq!(console.accept(b"x"), 0);
}
