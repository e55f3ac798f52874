//! Guests whose balloon driver breaks the rules (Virtio 1.2, section 5.5.6): it gives pages twice,
//! gives some that it does not have or that are another guest's, takes what it never gave, and
//! describes its lists wrongly. Nobody else loses a page by it, and no frame is lost.

use crate::assembly::{Assembler, x};
use crate::broken_driver::{
    AVAILABLE, BASE, DESCRIPTORS, QUEUE_NOTIFY, descriptor, put, set_up, store_word,
};
use crate::support::{Cell, MIB, Model, config, monitored_cells};
use dcsim_hart::isa::Opcode;
use dcsim_machine::board::map::{BALLOON_SLOT, virtio_slot};
use dcsim_monitor::{Balloon, VmConfig, VmId};

const MEMORY_BYTES: u64 = 4 * MIB;
const PAGES: u64 = MEMORY_BYTES / 4096;
const END_NS: u64 = 1_000_000;

/// Offsets in the image.
const LIST: usize = 0x4000;
const IMAGE_BYTES: usize = 0x7000;

/// The number of the guest's first page, and of one that its image does not lie in.
const FIRST: u32 = 0x80000;
const OTHER: u32 = FIRST + 700;

const INFLATE: u64 = 0;
const DEFLATE: u64 = 1;
const REPORT: u64 = 4;

/// A descriptor that is the only one of its request; one that another follows; and one that the
/// device writes.
const ALONE: u16 = 0;
const NEXT: u16 = 1;
const WRITABLE: u16 = 2;

/// What a driver does: to which queue it hands which descriptors.
struct Act {
    queue: u64,
    chain: Vec<Vec<u8>>,
}

/// A guest that touches a page, and whose driver does this with a list of page numbers.
fn guest(act: &Act, list: &[u32]) -> Vec<u8> {
    let registers = virtio_slot(BALLOON_SLOT).base;
    let mut code = Assembler::default();
    store_word(&mut code, u64::from(OTHER) << 12, 0x1234);
    set_up(&mut code, registers, act.queue);
    store_word(&mut code, BASE + AVAILABLE as u64, 1 << 16);
    store_word(&mut code, registers + QUEUE_NOTIFY, act.queue);
    code.immediate(Opcode::Jal, x(0), x(0), 0);
    let mut image = code.bytes();
    image.resize(IMAGE_BYTES, 0);
    for (number, bytes) in act.chain.iter().enumerate() {
        put(&mut image, DESCRIPTORS + 16 * number, bytes);
    }
    let list: Vec<u8> = list.iter().flat_map(|number| number.to_le_bytes()).collect();
    put(&mut image, LIST, &list);
    image
}

/// A list of page numbers as it has to be described.
fn listed(queue: u64, list: &[u32]) -> Act {
    let address = BASE + LIST as u64;
    Act { queue, chain: vec![descriptor(address, 4 * list.len() as u32, ALONE, 0)] }
}

/// What is left after a driver has done this: the host, the VM, and another one beside it.
struct Left {
    model: Model,
    vm: VmId,
    neighbour: VmId,
}

impl Left {
    fn balloon(&self) -> Balloon {
        self.model.host.balloon(self.vm).unwrap().unwrap()
    }

    fn state(&mut self, number: u32) -> &'static str {
        let page = u64::from(number - FIRST);
        self.model.host.page_state(&mut self.model.store, self.vm, page).unwrap()
    }
}

fn play(cell: Cell, act: &Act, list: &[u32]) -> Left {
    let mut model = Model::of(cell.technique, 1, 64 * MIB);
    let settings =
        VmConfig { balloon: true, free_page_reporting: true, ..config(cell, MEMORY_BYTES, "") };
    let neighbour = model.add(config(cell, 8 * MIB, "init=syscalls n=1"), None);
    model.play();
    let before = model.host.resident_pages(&mut model.store, neighbour).unwrap();
    let digest = digest(&mut model, neighbour);
    let vm = model.add_image(settings, &guest(act, list), None);
    let begin_ns = model.now_ns;
    model.host.load(&mut model.store, 0, vm, begin_ns).unwrap();
    while model.host.local_time_ns(0).unwrap() < begin_ns + END_NS {
        model.host.run(&mut model.store, begin_ns + END_NS).unwrap();
    }
    model.host.unload(&mut model.store, 0).unwrap();

    // Whatever it did, the host's frames add up and nobody else has lost one.
    model.host.count_frames(&mut model.store).unwrap();
    model.host.audit(&mut model.store).unwrap();
    assert_eq!(model.host.resident_pages(&mut model.store, neighbour).unwrap(), before);
    assert_eq!(self::digest(&mut model, neighbour), digest, "{cell:?}");
    // It can still be saved, and begins anew where another host takes it in.
    let mut state = model.host.save_vm(&mut model.store, vm).unwrap();
    state.release(&mut model.store);
    Left { model, vm, neighbour }
}

/// The bytes of a VM's pages.
fn digest(model: &mut Model, vm: VmId) -> Vec<Vec<u8>> {
    let mut state = model.host.save_vm(&mut model.store, vm).unwrap();
    let pages = state.pages.iter().map(|page| model.store.page(*page).to_vec()).collect();
    state.release(&mut model.store);
    pages
}

#[test]
fn a_page_that_is_given_twice_is_freed_once() {
    for cell in monitored_cells() {
        let list = [OTHER, OTHER, OTHER + 1];
        let mut left = play(cell, &listed(INFLATE, &list), &list);
        let told = left.balloon();
        assert_eq!((told.inflated_pages, told.freed_frames, told.refused_pages), (3, 1, 0));
        assert_eq!((left.state(OTHER), left.state(OTHER + 1)), ("absent", "absent"), "{cell:?}");
    }
}

#[test]
fn pages_outside_the_guest_s_memory_are_refused() {
    let end = FIRST + PAGES as u32;
    for cell in monitored_cells() {
        let list = [0, FIRST - 1, end, end + 1, u32::MAX, 0x10001];
        let left = play(cell, &listed(INFLATE, &list), &list);
        let told = left.balloon();
        assert_eq!((told.inflated_pages, told.freed_frames), (0, 0), "{cell:?}");
        assert_eq!(told.refused_pages, list.len() as u64, "{cell:?}");
    }
}

#[test]
fn another_guest_s_pages_are_not_taken_by_their_frames_numbers() {
    for cell in monitored_cells() {
        // Numbers of the host's frames: those that are no page numbers of its own are refused, and
        // the others are pages of its own. `play` compares the neighbour's memory.
        let list: Vec<u32> = (FIRST + 600..FIRST + 600 + 0x600).collect();
        let left = play(cell, &listed(INFLATE, &list), &list);
        let told = left.balloon();
        assert_eq!(told.inflated_pages, PAGES - 600, "{cell:?}");
        assert_eq!(told.refused_pages, 0x600 - (PAGES - 600), "{cell:?}");
        // The page that it has touched, and the one with its device tree.
        assert_eq!(told.freed_frames, 2, "{cell:?}");
        assert!(left.model.host.frame_usage(left.neighbour).unwrap().guest > 0);
    }
}

#[test]
fn taking_what_was_never_given_changes_nothing() {
    for cell in monitored_cells() {
        let list = [OTHER, OTHER + 5, FIRST - 1];
        let mut left = play(cell, &listed(DEFLATE, &list), &list);
        let told = left.balloon();
        assert_eq!((told.deflated_pages, told.refused_pages, told.freed_frames), (2, 1, 0));
        assert_eq!((left.state(OTHER), left.state(OTHER + 5)), ("resident", "absent"), "{cell:?}");
    }
}

#[test]
fn a_report_frees_only_whole_pages_of_the_guest() {
    for cell in monitored_cells() {
        let address = (u64::from(OTHER) << 12) - 100;
        let beyond = BASE + MEMORY_BYTES;
        let chain = vec![
            descriptor(address, 4096, WRITABLE | NEXT, 1),
            descriptor(beyond, 8192, WRITABLE, 0),
        ];
        let mut left = play(cell, &Act { queue: REPORT, chain }, &[]);
        assert_eq!((left.balloon().freed_frames, left.state(OTHER)), (0, "resident"), "{cell:?}");
    }
}

#[test]
fn lists_that_are_described_wrongly_give_nothing() {
    let list = BASE + LIST as u64;
    let chains = [
        // Outside memory; at its end; no whole number; for the device to write; nothing at all.
        vec![descriptor(0x1000, 8, ALONE, 0)],
        vec![descriptor(0x8000_0000 + MEMORY_BYTES - 2, 8, ALONE, 0)],
        vec![descriptor(list, 3, ALONE, 0)],
        vec![descriptor(list, 8, WRITABLE, 0)],
        vec![descriptor(list, 0, ALONE, 0)],
        // In a circle, behind the end of the table, longer than any list.
        vec![descriptor(list, 4, NEXT, 0)],
        vec![descriptor(list, 4, NEXT, 500)],
        vec![descriptor(u64::MAX - 3, u32::MAX, ALONE, 0)],
    ];
    for cell in monitored_cells() {
        for (number, chain) in chains.iter().enumerate() {
            let act = Act { queue: INFLATE, chain: chain.clone() };
            let mut left = play(cell, &act, &[OTHER]);
            let told = left.balloon();
            assert_eq!((told.inflated_pages, told.freed_frames), (0, 0), "{cell:?} {number}");
            assert_eq!(left.state(OTHER), "resident", "{cell:?} {number}");
        }
    }
}
