//! The block device against Virtio 1.2, section 5.2.

use super::super::{Completion, DeviceRequest, IoStatus, RequestTag, Transport, VirtioDevice};
use super::{BlockCounters, BlockDevice};
use crate::devices::Persist;
use crate::disk_image::DiskImage;
use crate::test_utils::{Descriptor, VirtioDriver};

const SECTORS: u64 = 64;

fn device() -> VirtioDevice {
    let content: Vec<u8> = (0..SECTORS * 512).map(|i| (i / 512) as u8).collect();
    VirtioDevice::Block(BlockDevice::new(DiskImage::with_content(SECTORS * 512, &content).unwrap()))
}

fn ready() -> VirtioDriver {
    VirtioDriver::ready(device(), 16)
}

fn block(driver: &VirtioDriver) -> &BlockDevice {
    match driver.transport.device() {
        Some(VirtioDevice::Block(block)) => block,
        _ => panic!("no block device"),
    }
}

/// One request in guest memory, before it is offered.
struct Request {
    header: u64,
    data: u64,
    status: u64,
}

fn request(driver: &mut VirtioDriver, kind: u32, sector: u64, data: &[u8]) -> Request {
    let mut header = Vec::new();
    header.extend(kind.to_le_bytes());
    header.extend(0u32.to_le_bytes());
    header.extend(sector.to_le_bytes());
    Request {
        header: driver.allocate_with(&header),
        data: driver.allocate_with(data),
        status: driver.allocate_with(&[0xff]),
    }
}

/// Offers a request whose data the device writes, or reads.
fn send(driver: &mut VirtioDriver, request: &Request, length: u32, device_writes: bool) {
    let data = Descriptor { address: request.data, length, writable: device_writes };
    let header = Descriptor::readable(request.header, 16);
    let status = Descriptor::writable(request.status, 1);
    let chain: &[Descriptor] =
        if length == 0 { &[header, status] } else { &[header, data, status] };
    driver.send(0, chain);
}

fn only_tag(driver: &mut VirtioDriver) -> RequestTag {
    match driver.take_requests().as_slice() {
        [
            DeviceRequest::Block { tag, .. }
            | DeviceRequest::Flush { tag }
            | DeviceRequest::Discard { tag, .. },
        ] => *tag,
        other => panic!("expected one request: {other:?}"),
    }
}

fn status(driver: &mut VirtioDriver, request: &Request) -> u8 {
    driver.get(request.status, 1)[0]
}

#[test]
fn the_configuration_space() {
    let driver = VirtioDriver::new(device());
    assert_eq!(driver.read(0x008), 2);
    assert_eq!(driver.transport.load(0x100, 8), Ok(SECTORS));
    assert_eq!(driver.read(0x10c), 254, "seg_max");
    assert_eq!(driver.read(0x114), 512, "blk_size");
    assert_eq!(driver.read(0x128), 1, "max_discard_seg");
    assert_eq!(driver.transport.load(0x138, 1), Ok(1), "write_zeroes_may_unmap");
    assert_eq!(driver.read(0x1000 - 4), 0, "behind the end");
}

#[test]
fn a_read_moves_data_at_completion_and_not_before() {
    let mut driver = ready();
    let read = request(&mut driver, 0, 5, &[0xee; 1024]);
    send(&mut driver, &read, 1024, true);
    let asked = driver.take_requests();
    let tag = RequestTag::new(0, 0);
    assert_eq!(asked, [DeviceRequest::Block { tag, write: false, sector: 5, bytes: 1024 }]);
    assert_eq!(driver.get(read.data, 1024), [0xee; 1024]);
    assert_eq!((driver.take_used(0), driver.transport.interrupt()), (None, false));

    assert_eq!(driver.complete(tag, IoStatus::Done), Ok(Completion::Delivered));
    assert_eq!(driver.take_used(0), Some((0, 1025)));
    assert_eq!(driver.get(read.data, 512), [5; 512]);
    assert_eq!(driver.get(read.data + 512, 512), [6; 512]);
    assert_eq!(status(&mut driver, &read), 0);
    assert_eq!(driver.acknowledge(), 1);
    assert_eq!(driver.complete(tag, IoStatus::Done), Ok(Completion::Cancelled), "only once");
}

#[test]
fn a_write_takes_the_data_of_the_moment_of_completion() {
    let mut driver = ready();
    let write = request(&mut driver, 1, 63, &[1; 512]);
    send(&mut driver, &write, 512, false);
    let tag = only_tag(&mut driver);
    driver.put(write.data, &[2; 512]);
    driver.complete(tag, IoStatus::Done).unwrap();
    assert_eq!(driver.take_used(0), Some((0, 1)));
    let mut sector = [0; 512];
    block(&driver).disk().read(63 * 512, &mut sector).unwrap();
    assert_eq!(sector, [2; 512]);
}

#[test]
fn completions_may_come_in_another_order() {
    let mut driver = ready();
    let requests: Vec<Request> =
        (0..3).map(|sector| request(&mut driver, 0, sector, &[0; 512])).collect();
    for read in &requests {
        send(&mut driver, read, 512, true);
    }
    let tags: Vec<RequestTag> = (0..3).map(|serial| RequestTag::new(0, serial)).collect();
    for (index, head) in [(2, 6), (0, 0), (1, 3)] {
        driver.complete(tags[index], IoStatus::Done).unwrap();
        assert_eq!(driver.take_used(0), Some((head, 513)));
        assert_eq!(driver.get(requests[index].data, 1), [index as u8]);
    }
    assert_eq!(block(&driver).in_flight(), 0);
}

#[test]
fn header_data_and_status_may_lie_in_any_pieces() {
    let mut driver = ready();
    let read = request(&mut driver, 0, 7, &[0; 512]);
    let chain = [
        Descriptor::readable(read.header, 3),
        Descriptor::readable(read.header + 3, 13),
        Descriptor::writable(read.data, 100),
        Descriptor::writable(read.data + 100, 412),
        Descriptor::writable(read.status, 1),
    ];
    driver.send(0, &chain);
    let tag = only_tag(&mut driver);
    driver.complete(tag, IoStatus::Done).unwrap();
    assert_eq!(driver.get(read.data, 512), [7; 512]);
    // All in one readable and one writable piece.
    let place = driver.allocate(513);
    driver.send(0, &[Descriptor::readable(read.header, 16), Descriptor::writable(place, 513)]);
    let tag = only_tag(&mut driver);
    driver.complete(tag, IoStatus::Done).unwrap();
    assert_eq!(driver.get(place + 511, 2), [7, 0], "last data byte, then the status");
}

#[test]
fn a_failed_read_reports_an_error_and_moves_nothing() {
    let mut driver = ready();
    let read = request(&mut driver, 0, 0, &[0xee; 512]);
    send(&mut driver, &read, 512, true);
    let tag = only_tag(&mut driver);
    driver.complete(tag, IoStatus::Failed).unwrap();
    assert_eq!(driver.take_used(0), Some((0, 1)));
    assert_eq!(driver.get(read.data, 512), [0xee; 512]);
    assert_eq!(status(&mut driver, &read), 1);
}

/// A request that is answered at the doorbell with this status.
fn refused(kind: u32, sector: u64, length: u32, device_writes: bool, expected: u8) {
    let mut driver = ready();
    let bad = request(&mut driver, kind, sector, &vec![0; length as usize]);
    send(&mut driver, &bad, length, device_writes);
    assert!(driver.take_requests().is_empty());
    assert_eq!(status(&mut driver, &bad), expected, "type {kind}, sector {sector}, {length} bytes");
    assert_eq!(driver.take_used(0), Some((0, 1)));
    assert!(!driver.needs_reset());
    assert_eq!(block(&driver).counters().errors, 1);
}

#[test]
fn requests_past_the_end_fail() {
    for (kind, writes) in [(0, true), (1, false)] {
        refused(kind, SECTORS, 512, writes, 1);
        refused(kind, SECTORS - 1, 1024, writes, 1);
        refused(kind, u64::MAX, 512, writes, 1);
    }
}

#[test]
fn requests_of_no_whole_sectors_fail() {
    refused(0, 0, 511, true, 1);
    refused(0, 0, 0, true, 1);
    refused(1, 0, 513, false, 1);
}

#[test]
fn unknown_types_are_unsupported() {
    refused(99, 0, 512, true, 2);
    refused(u32::MAX, 0, 0, true, 2);
}

#[test]
fn the_identity_is_answered_at_once() {
    let mut driver = ready();
    let identify = request(&mut driver, 8, 0, &[0xff; 20]);
    send(&mut driver, &identify, 20, true);
    assert_eq!(driver.take_used(0), Some((0, 21)));
    assert_eq!(driver.get(identify.data, 20), b"dcsim-disk\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(status(&mut driver, &identify), 0);
}

#[test]
fn a_flush_is_a_request() {
    let mut driver = ready();
    let flush = request(&mut driver, 4, 0, &[]);
    send(&mut driver, &flush, 0, true);
    let tag = RequestTag::new(0, 0);
    assert_eq!(driver.take_requests(), [DeviceRequest::Flush { tag }]);
    driver.complete(tag, IoStatus::Done).unwrap();
    assert_eq!((driver.take_used(0), status(&mut driver, &flush)), (Some((0, 1)), 0));
}

fn range(sector: u64, sectors: u32, flags: u32) -> Vec<u8> {
    let mut raw = sector.to_le_bytes().to_vec();
    raw.extend(sectors.to_le_bytes());
    raw.extend(flags.to_le_bytes());
    raw
}

#[test]
fn discard_and_write_zeroes_make_sectors_zero() {
    for (kind, flags) in [(11, 0), (13, 0), (13, 1)] {
        let mut driver = ready();
        let discard = request(&mut driver, kind, 0, &range(8, 8, flags));
        send(&mut driver, &discard, 16, false);
        let tag = RequestTag::new(0, 0);
        assert_eq!(
            driver.take_requests(),
            [DeviceRequest::Discard { tag, sector: 8, bytes: 4096 }]
        );
        driver.complete(tag, IoStatus::Done).unwrap();
        let mut sectors = [1; 4096];
        block(&driver).disk().read(8 * 512, &mut sectors).unwrap();
        assert_eq!(sectors, [0; 4096]);
        assert_eq!(status(&mut driver, &discard), 0);
    }
}

#[test]
fn a_bad_discard_is_refused() {
    for (content, expected) in [
        (range(SECTORS, 1, 0), 1),
        (range(u64::MAX, 1, 0), 1),
        (range(0, 1, 1), 2),
        (range(0, 1, 2), 2),
        (range(0, 1, 0)[..8].to_vec(), 1),
    ] {
        let mut driver = ready();
        let discard = request(&mut driver, 11, 0, &content);
        send(&mut driver, &discard, content.len() as u32, false);
        assert!(driver.take_requests().is_empty());
        assert_eq!(status(&mut driver, &discard), expected);
    }
}

#[test]
fn a_request_without_header_or_status_breaks_the_rules() {
    for (header_bytes, status_bytes) in [(15, 1), (16, 0)] {
        let mut driver = ready();
        let read = request(&mut driver, 0, 0, &[]);
        let chain = [
            Descriptor::readable(read.header, header_bytes),
            Descriptor::writable(read.status, status_bytes),
        ];
        driver.send(0, &chain);
        assert!(driver.needs_reset());
    }
}

#[test]
fn data_outside_memory_fails_the_request_and_leaves_the_disk_alone() {
    let mut driver = ready();
    let write = request(&mut driver, 1, 0, &[]);
    let outside = Request { data: driver.memory_end() - 256, ..write };
    send(&mut driver, &outside, 512, false);
    let tag = only_tag(&mut driver);
    driver.complete(tag, IoStatus::Done).unwrap();
    assert_eq!(status(&mut driver, &outside), 1);
    assert_eq!(block(&driver).counters(), BlockCounters { errors: 1, ..BlockCounters::default() });
    let mut sector = [1; 512];
    block(&driver).disk().read(0, &mut sector).unwrap();
    assert_eq!(sector, [0; 512]);
}

#[test]
fn a_reset_cancels_what_is_in_flight() {
    let mut driver = ready();
    let read = request(&mut driver, 0, 1, &[0xee; 512]);
    send(&mut driver, &read, 512, true);
    let tag = only_tag(&mut driver);
    driver.write(0x70, 0);
    assert_eq!(driver.complete(tag, IoStatus::Done), Ok(Completion::Cancelled));
    assert!(driver.negotiate(1 << 32));
    driver.set_up_queue(0, 16);
    driver.write(0x70, 0xf);
    assert_eq!(driver.complete(tag, IoStatus::Done), Ok(Completion::Cancelled));
    assert_eq!(driver.get(read.data, 512), [0xee; 512]);
    send(&mut driver, &read, 512, true);
    assert_eq!(only_tag(&mut driver), RequestTag::new(0, 1), "tags are not used again");
}

#[test]
fn a_descriptor_offered_over_and_over_is_refused() {
    let mut driver = VirtioDriver::ready(device(), 2);
    let flush = request(&mut driver, 4, 0, &[]);
    send(&mut driver, &flush, 0, true);
    for _ in 0..3 {
        driver.publish(0, 0);
        driver.notify(0);
    }
    assert!(driver.needs_reset());
    assert_eq!(driver.take_requests().len(), 2, "no more than the queue has descriptors");
}

/// Virtio 1.2, section 2.1.2: after `DEVICE_NEEDS_RESET` the driver can assume nothing of requests
/// that are under way, but that a reset ends them.
#[test]
fn a_driver_that_breaks_the_rules_loses_what_is_in_flight() {
    let mut driver = ready();
    let good = request(&mut driver, 0, 1, &[0xee; 512]);
    send(&mut driver, &good, 512, true);
    driver.complete(RequestTag::new(0, 0), IoStatus::Done).unwrap();
    driver.put(good.data, &[0xee; 512]);
    send(&mut driver, &good, 512, true);
    let before = block(&driver).counters();
    driver.set_available_index(0, 40);
    driver.notify(0);
    assert!(driver.needs_reset());
    assert_eq!(block(&driver).in_flight(), 0);
    assert_eq!(block(&driver).counters(), before);
    let late = RequestTag::new(0, 1);
    assert_eq!(driver.complete(late, IoStatus::Done), Ok(Completion::Cancelled));
    assert_eq!(driver.get(good.data, 512), [0xee; 512]);

    let mut restored = Transport::new(0, Some(device()));
    restored.restore(&driver.transport.save()).unwrap();
    assert_eq!(restored.save(), driver.transport.save());
}

#[test]
fn a_status_byte_outside_memory_breaks_the_rules_at_completion() {
    for outcome in [IoStatus::Done, IoStatus::Failed] {
        let mut driver = ready();
        let inside = request(&mut driver, 0, 1, &[0xee; 512]);
        let outside = Request { status: driver.memory_end(), ..inside };
        for read in [&inside, &outside] {
            send(&mut driver, read, 512, true);
        }
        let tag = RequestTag::new(0, 1);
        assert_eq!(driver.complete(tag, outcome), Ok(Completion::Cancelled));
        assert!(driver.needs_reset());
        assert_eq!(block(&driver).in_flight(), 0);
        assert_eq!((driver.take_used(0), driver.get(inside.data, 1)), (None, vec![0xee]));
    }
}

#[test]
fn a_full_store_leaves_a_completion_undone() {
    let mut driver = ready();
    let read = request(&mut driver, 0, 9, &[]);
    let data = driver.allocate(16384).next_multiple_of(4096);
    let read = Request { data, ..read };
    send(&mut driver, &read, 8192, true);
    let tag = only_tag(&mut driver);
    let hogs = driver.fill_store();
    assert!(driver.complete(tag, IoStatus::Done).is_err());
    assert_eq!((driver.take_used(0), status(&mut driver, &read)), (None, 0xff));
    assert_eq!(driver.get(data, 8192), vec![0; 8192]);

    driver.release(hogs);
    assert_eq!(driver.complete(tag, IoStatus::Done), Ok(Completion::Delivered));
    assert_eq!(driver.get(data + 8191, 1), [24]);
}

#[test]
fn a_snapshot_keeps_requests_in_flight() {
    let mut driver = ready();
    let read = request(&mut driver, 0, 3, &[0; 512]);
    send(&mut driver, &read, 512, true);
    let tag = only_tag(&mut driver);
    let saved = driver.transport.save();
    driver.transport = Transport::new(0, Some(device()));
    driver.transport.restore(&saved).unwrap();
    assert_eq!(driver.complete(tag, IoStatus::Done), Ok(Completion::Delivered));
    assert_eq!(driver.get(read.data, 512), [3; 512]);

    let small = VirtioDevice::Block(BlockDevice::new(DiskImage::new(512)));
    assert!(Transport::new(0, Some(small)).restore(&saved).is_err(), "past the end of that disk");
}
