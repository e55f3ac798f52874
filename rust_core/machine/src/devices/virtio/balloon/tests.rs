//! The balloon against Virtio 1.2, section 5.5.

use super::super::{
    BalloonOperation, DeviceRequest, IoStatus, RequestTag, Transport, VirtioDevice,
};
use super::{BalloonCounters, BalloonDevice};
use crate::devices::Persist;
use crate::test_utils::{Descriptor, VirtioDriver};

const BASE: u64 = 0x8000_0000;
const PAGES: u64 = 512;

fn device() -> VirtioDevice {
    VirtioDevice::Balloon(BalloonDevice::new(PAGES * 4096, true))
}

fn ready() -> VirtioDriver {
    VirtioDriver::ready(device(), 4)
}

fn balloon(driver: &mut VirtioDriver) -> &mut BalloonDevice {
    match driver.transport.device_mut() {
        Some(VirtioDevice::Balloon(balloon)) => balloon,
        _ => panic!("no balloon"),
    }
}

/// What the host does to change the size of the balloon.
fn set_target(driver: &mut VirtioDriver, pages: u32) {
    if balloon(driver).set_target(pages) {
        driver.transport.announce_config();
    }
}

fn page(number: u64) -> u64 {
    BASE + number * 4096
}

fn numbers(pages: &[u64]) -> Vec<u8> {
    pages.iter().flat_map(|address| ((address >> 12) as u32).to_le_bytes()).collect()
}

/// Sends page numbers. Returns what the host is asked for.
fn send_pages(driver: &mut VirtioDriver, queue: usize, pages: &[u64]) -> Vec<DeviceRequest> {
    let list = numbers(pages);
    let address = driver.allocate_with(&list);
    driver.send(queue, &[Descriptor::readable(address, list.len() as u32)]);
    driver.take_requests()
}

fn request(serial: u64, operation: BalloonOperation, pages: &[u64]) -> DeviceRequest {
    DeviceRequest::Balloon { tag: RequestTag::new(0, serial), operation, pages: pages.to_vec() }
}

#[test]
fn it_is_device_5_and_offers_what_it_does() {
    let driver = VirtioDriver::new(device());
    assert_eq!(driver.read(0x008), 5);
    // MUST_TELL_HOST, STATS_VQ, DEFLATE_ON_OOM and PAGE_REPORTING; no hints, no poison.
    assert_eq!(driver.read(0x010), 0b10_0111);
}

#[test]
fn without_reports_there_is_no_queue_for_them() {
    let mut driver = VirtioDriver::new(VirtioDevice::Balloon(BalloonDevice::new(4096, false)));
    assert_eq!(driver.read(0x010), 0b111);
    let sizes = (0..5).map(|queue| {
        driver.write(0x030, queue);
        driver.read(0x034)
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [256, 256, 256, 0, 0]);
}

#[test]
fn a_new_target_is_a_configuration_change() {
    let mut driver = ready();
    assert_eq!((driver.read(0x100), driver.read(0x0fc)), (0, 0));
    set_target(&mut driver, 100);
    assert_eq!((driver.read(0x100), driver.read(0x0fc)), (100, 1));
    assert_eq!(driver.acknowledge(), 2, "the configuration has changed");
    set_target(&mut driver, 100);
    assert_eq!((driver.acknowledge(), driver.read(0x0fc)), (0, 1), "it is the same");
}

#[test]
fn a_target_from_before_the_driver_is_found_by_it() {
    let mut driver = VirtioDriver::new(device());
    set_target(&mut driver, 7);
    assert_eq!(driver.acknowledge(), 0, "nobody listens yet");
    assert!(driver.negotiate(1 << 32));
    assert_eq!(driver.read(0x100), 7);
}

#[test]
fn the_driver_writes_actual_and_nothing_else() {
    let mut driver = ready();
    driver.write(0x104, 0x0001_0203);
    driver.write(0x100, 99);
    driver.write(0x108, 99);
    assert_eq!((driver.read(0x100), driver.read(0x104)), (0, 0x0001_0203));
    assert_eq!(balloon(&mut driver).state().actual_pages, 0x0001_0203);
    let word = driver.transport.load(0x102, 4).unwrap();
    assert_eq!(word, 0x0203_0000, "an access may begin anywhere");
}

#[test]
fn pages_go_to_the_host_and_come_back_when_it_is_done() {
    for (queue, operation) in [(0, BalloonOperation::Inflate), (1, BalloonOperation::Deflate)] {
        let mut driver = ready();
        let pages = [page(3), page(511), page(3)];
        assert_eq!(send_pages(&mut driver, queue, &pages), [request(0, operation, &pages)]);
        assert_eq!(driver.take_used(queue), None, "the host has not done it yet");
        assert_eq!(balloon(&mut driver).in_flight(), 1);
        driver.complete(RequestTag::new(0, 0), IoStatus::Done).unwrap();
        assert_eq!(driver.take_used(queue), Some((0, 0)));
        assert_eq!((driver.acknowledge(), balloon(&mut driver).in_flight()), (1, 0));
    }
}

#[test]
fn pages_outside_the_guests_memory_are_left_out() {
    let mut driver = ready();
    let pages = [page(512), page(0), 0, BASE - 4096, u64::from(u32::MAX) << 12];
    let asked = send_pages(&mut driver, 0, &pages);
    assert_eq!(asked, [request(0, BalloonOperation::Inflate, &[page(0)])]);
    let expected =
        BalloonCounters { inflated_pages: 1, refused_pages: 4, ..BalloonCounters::default() };
    assert_eq!(balloon(&mut driver).counters(), expected);
    assert!(!driver.needs_reset());
}

#[test]
fn lists_of_odd_lengths_are_read_as_far_as_they_go() {
    let mut driver = ready();
    let list = numbers(&[page(1), page(2)]);
    let address = driver.allocate_with(&list);
    for (length, pages) in
        [(0, vec![]), (3, vec![]), (7, vec![page(1)]), (8, vec![page(1), page(2)])]
    {
        driver.send(0, &[Descriptor::readable(address, length)]);
        let [DeviceRequest::Balloon { tag, pages: heard, .. }] = &driver.take_requests()[..] else {
            panic!("one request")
        };
        assert_eq!(*heard, pages);
        driver.complete(*tag, IoStatus::Done).unwrap();
    }
    // Longer than any honest list: cut.
    let all = driver.allocate(8 * 4096);
    driver.send(0, &[Descriptor::readable(all, 8 * 4096)]);
    assert_eq!(balloon(&mut driver).counters().refused_pages, 4096);
}

#[test]
fn reported_pages_are_those_that_buffers_cover_whole() {
    for queue in [3, 4] {
        let mut driver = ready();
        let buffers = [
            Descriptor::writable(page(10), 2 * 4096),
            Descriptor::writable(page(20) + 1, 2 * 4096 - 1),
            Descriptor::writable(page(511), 8 * 4096),
            Descriptor::writable(0, 4096),
        ];
        driver.send(queue, &buffers);
        let covered = [page(10), page(11), page(21), page(511)];
        assert_eq!(driver.take_requests(), [request(0, BalloonOperation::Report, &covered)]);
        let counters = balloon(&mut driver).counters();
        assert_eq!((counters.reported_pages, counters.refused_pages), (4, 7 + 1));
        driver.complete(RequestTag::new(0, 0), IoStatus::Done).unwrap();
        assert_eq!(driver.take_used(queue), Some((0, 0)));
    }
}

#[test]
fn a_report_names_no_more_pages_than_there_are() {
    let mut driver = ready();
    let all = Descriptor::writable(BASE, (PAGES * 4096) as u32);
    driver.send(4, &[all, all, all]);
    let [DeviceRequest::Balloon { pages, .. }] = &driver.take_requests()[..] else {
        panic!("one request")
    };
    assert_eq!(pages.len() as u64, PAGES);
}

fn statistics(entries: &[(u16, u64)]) -> Vec<u8> {
    let entry = |(tag, value): &(u16, u64)| [&tag.to_le_bytes()[..], &value.to_le_bytes()].concat();
    entries.iter().flat_map(entry).collect()
}

#[test]
fn the_statistics_buffer_is_kept_until_the_host_asks() {
    let mut driver = ready();
    assert!(!driver.with_host(Transport::ask_statistics).unwrap(), "there is no buffer yet");
    // Swapped out, free, total, and a tag that nobody knows.
    let list = statistics(&[(1, 4096), (4, 1 << 40), (5, u64::MAX), (999, 1)]);
    let address = driver.allocate_with(&list);
    driver.send(2, &[Descriptor::readable(address, list.len() as u32)]);
    assert_eq!((driver.take_used(2), driver.acknowledge()), (None, 0));
    let known: Vec<_> = balloon(&mut driver).state().statistics.clone().into_iter().collect();
    assert_eq!(known, [(1, 4096), (4, 1 << 40), (5, u64::MAX)]);
    assert!(driver.with_host(Transport::ask_statistics).unwrap());
    assert_eq!((driver.take_used(2), driver.acknowledge()), (Some((0, 0)), 1));
    assert!(!driver.with_host(Transport::ask_statistics).unwrap(), "it is the driver's now");
}

#[test]
fn a_second_statistics_buffer_frees_the_first() {
    let mut driver = ready();
    let list = statistics(&[(4, 1)]);
    let address = driver.allocate_with(&list);
    for _ in 0..2 {
        driver.send(2, &[Descriptor::readable(address, 10)]);
    }
    assert_eq!((driver.take_used(2), driver.take_used(2)), (Some((0, 0)), None));
    assert_eq!(balloon(&mut driver).state().statistics_buffer, Some(1));
}

#[test]
fn a_request_that_is_offered_again_and_again_is_refused() {
    let mut driver = ready();
    let address = driver.allocate_with(&numbers(&[page(1)]));
    for _ in 0..5 {
        driver.send(0, &[Descriptor::readable(address, 4)]);
    }
    assert!(driver.needs_reset());
    assert_eq!(balloon(&mut driver).in_flight(), 0);
}

#[test]
fn a_reset_forgets_requests_and_keeps_the_target() {
    let mut driver = ready();
    set_target(&mut driver, 9);
    driver.write(0x104, 5);
    send_pages(&mut driver, 0, &[page(1)]);
    driver.write(0x70, 0);
    driver.complete(RequestTag::new(0, 0), IoStatus::Done).unwrap();
    let state = balloon(&mut driver).state();
    assert_eq!((state.target_pages, state.actual_pages, state.in_flight.len()), (9, 0, 0));
    assert_eq!(state.next_serial, 1, "a late completion meets no other request");
}

#[test]
fn a_saved_balloon_goes_on_in_the_middle_of_a_request() {
    let mut driver = ready();
    set_target(&mut driver, 9);
    driver.write(0x104, 5);
    send_pages(&mut driver, 0, &[page(1)]);
    let saved = driver.transport.save();
    driver.transport = Transport::new(0, Some(device()));
    driver.transport.restore(&saved).unwrap();
    assert_eq!(driver.transport.save(), saved);
    assert_eq!((driver.read(0x100), driver.read(0x104)), (9, 5));
    driver.complete(RequestTag::new(0, 0), IoStatus::Done).unwrap();
    assert_eq!(driver.take_used(0), Some((0, 0)));
}

#[test]
fn without_a_page_for_the_answer_the_request_waits() {
    let mut driver = VirtioDriver::new(device());
    assert!(driver.negotiate(1 << 32));
    // A queue of four: 64 bytes of descriptors and 16 of requests in front of its used ring, which
    // comes to lie on a page that was never touched.
    driver.allocate(2 * 4096 - 80);
    driver.set_up_queue(0, 4);
    driver.write(0x70, 0xf);
    let list = driver.queues[0].descriptors - 4;
    driver.put(list, &numbers(&[page(1)]));
    driver.offer(0, &[Descriptor::readable(list, 4)]);
    let hogs = driver.fill_store();
    driver.notify(0);
    assert!(driver.take_requests().is_empty() && driver.transport.needs_memory());
    driver.release(hogs);
    driver.with_host(Transport::process).unwrap();
    assert_eq!(driver.take_requests(), [request(0, BalloonOperation::Inflate, &[page(1)])]);
    driver.complete(RequestTag::new(0, 0), IoStatus::Done).unwrap();
    assert_eq!(driver.take_used(0), Some((0, 0)));
}
