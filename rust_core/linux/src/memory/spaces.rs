//! All address spaces of a machine, the memory that they share, and their page faults.

use super::pool::Pool;
use super::region::{ObjectId, Region, Source};
use super::space::{Resident, Space};
use super::{PAGE_BYTES, page_base};
use crate::files::NodeId;
use crate::hardware::{Access, Hardware, PageNumber, Rights, SpaceId, Unavailable, Work};
use std::collections::BTreeMap;

/// Doublewords of a page.
const PAGE_WORDS: u64 = PAGE_BYTES / 8;

/// The content of files, for the regions that map them.
pub trait Contents {
    /// Fills `buffer` from `offset` of a file, with zeros behind its end.
    fn fill(&self, node: NodeId, offset: u64, buffer: &mut [u8]);
}

/// Why an access cannot be made.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum MemoryFault {
    /// Nothing is mapped there.
    Unmapped,
    /// The region does not allow it.
    Forbidden,
    /// The machine has no page left.
    Exhausted,
    /// The machine below cannot provide the page now.
    Unavailable(Unavailable),
}

impl From<Unavailable> for MemoryFault {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

/// The pages of memory that regions of several spaces show, by offset.
type Object = BTreeMap<u64, PageNumber>;

/// The address spaces.
#[derive(Debug)]
pub struct Spaces {
    pool: Pool,
    by_id: BTreeMap<SpaceId, Space>,
    objects: BTreeMap<ObjectId, Object>,
    next_space: u32,
    next_object: u32,
}

impl Spaces {
    /// No address space, over this many pages.
    pub fn new(pages: u32) -> Self {
        Self {
            pool: Pool::new(pages),
            by_id: BTreeMap::new(),
            objects: BTreeMap::new(),
            next_space: 1,
            next_object: 1,
        }
    }

    /// Pages in use.
    pub fn used_pages(&self) -> u32 {
        self.pool.used()
    }

    /// Where a page is shown: the address spaces, and the addresses there.
    pub fn places_of(&self, page: PageNumber) -> Vec<(SpaceId, u64)> {
        let of_space = |(id, space): (&SpaceId, &Space)| {
            let found = space.pages.iter().filter(|(_, resident)| resident.page == page);
            found.map(|(address, _)| (*id, *address)).collect::<Vec<_>>()
        };
        self.by_id.iter().flat_map(of_space).collect()
    }

    /// Pages that were ever in use.
    pub fn touched_pages(&self) -> u32 {
        self.pool.touched()
    }

    /// All pages.
    pub fn all_pages(&self) -> u32 {
        self.pool.limit()
    }

    /// Makes an empty space.
    pub fn create(&mut self) -> SpaceId {
        let id = SpaceId(self.next_space);
        self.next_space += 1;
        self.by_id.insert(id, Space::default());
        id
    }

    /// A space.
    pub fn get(&self, id: SpaceId) -> &Space {
        &self.by_id[&id]
    }

    /// Sets where the heap begins and ends.
    pub fn set_heap(&mut self, id: SpaceId, heap: (u64, u64)) {
        self.space(id).heap = heap;
    }

    fn space(&mut self, id: SpaceId) -> &mut Space {
        self.by_id.entry(id).or_default()
    }

    /// New shared memory, which no region shows yet.
    pub fn create_object(&mut self) -> ObjectId {
        let id = ObjectId(self.next_object);
        self.next_object += 1;
        self.objects.insert(id, Object::default());
        id
    }

    /// Maps a region in place of whatever was there.
    pub fn map(&mut self, hardware: &mut dyn Hardware, id: SpaceId, start: u64, region: Region) {
        self.unmap(hardware, id, start, region.end);
        self.space(id).insert(start, region);
        hardware.account(Work::Stores(8));
    }

    /// Removes what is mapped between two addresses.
    pub fn unmap(&mut self, hardware: &mut dyn Hardware, id: SpaceId, start: u64, end: u64) {
        let taken = self.space(id).take(start, end);
        if taken.is_empty() {
            return;
        }
        hardware.account(Work::Lookups(taken.len() as u64));
        self.forget_pages(hardware, id, start, end);
        for object in taken.iter().filter_map(|(_, region)| object_of(region.source)) {
            self.end_if_hidden(hardware, object);
        }
    }

    /// Gives up the pages between two addresses: those that are touched again are as at first.
    pub fn forget_pages(&mut self, hardware: &mut dyn Hardware, id: SpaceId, start: u64, end: u64) {
        let pages = self.space(id).take_pages(start, end);
        hardware.account(Work::Lookups(pages.len() as u64));
        hardware.forget(id, start, (end - start) / PAGE_BYTES);
        self.release(hardware, pages);
    }

    /// Ends shared memory that no region shows any more.
    fn end_if_hidden(&mut self, hardware: &mut dyn Hardware, id: ObjectId) {
        let shows =
            |space: &Space| space.regions().any(|(_, region)| object_of(region.source) == Some(id));
        if self.by_id.values().any(shows) {
            return;
        }
        if let Some(object) = self.objects.remove(&id) {
            self.release(hardware, object.into_values());
        }
    }

    fn release(
        &mut self,
        hardware: &mut dyn Hardware,
        pages: impl IntoIterator<Item = PageNumber>,
    ) {
        for page in pages {
            if self.pool.release(page) {
                hardware.discard(page);
            }
        }
    }

    /// Changes what a program may do between two addresses, all of which are mapped.
    pub fn protect(
        &mut self,
        hardware: &mut dyn Hardware,
        id: SpaceId,
        start: u64,
        end: u64,
        rights: Rights,
    ) {
        self.space(id).protect(start, end, rights);
        hardware.account(Work::Stores(4));
        hardware.forget(id, start, (end - start) / PAGE_BYTES);
    }

    /// Moves the pages between two addresses elsewhere, where a region is mapped and empty.
    pub fn move_pages(
        &mut self,
        hardware: &mut dyn Hardware,
        id: SpaceId,
        from: (u64, u64),
        to: u64,
    ) {
        let (start, end) = from;
        let space = self.space(id);
        let moved: Vec<_> = space.pages.range(start..end).map(|(at, each)| (*at, *each)).collect();
        for (address, resident) in moved {
            space.pages.remove(&address);
            space.pages.insert(address - start + to, resident);
        }
        hardware.forget(id, start, (end - start) / PAGE_BYTES);
    }

    /// The shared memory behind an address, and where in it that is.
    pub fn shared_at(&self, id: SpaceId, address: u64) -> Option<(ObjectId, u64)> {
        let (start, region) = self.get(id).region(address)?;
        match region.source.advanced(address - start) {
            Source::Shared { object, offset } => Some((object, offset)),
            _ => None,
        }
    }

    /// A copy of a space: pages are shared until one side writes, shared memory stays shared.
    pub fn fork(&mut self, hardware: &mut dyn Hardware, id: SpaceId) -> SpaceId {
        let parent = self.space(id);
        let shared: Vec<_> =
            parent.regions().filter(|(_, region)| object_of(region.source).is_some()).collect();
        let is_shared =
            |at: u64| shared.iter().any(|(start, region)| (*start..region.end).contains(&at));
        for (address, resident) in &mut parent.pages {
            resident.copied_on_write |= !is_shared(*address);
        }
        let child = parent.clone();
        hardware.account(Work::Stores(child.pages.len() as u64));
        hardware.forget(id, 0, super::space::HIGHEST / PAGE_BYTES);
        for resident in child.pages.values() {
            self.pool.retain(resident.page);
        }
        let copy = SpaceId(self.next_space);
        self.next_space += 1;
        self.by_id.insert(copy, child);
        copy
    }

    /// Ends a space.
    pub fn end(&mut self, hardware: &mut dyn Hardware, id: SpaceId) {
        self.unmap(hardware, id, 0, u64::MAX);
        self.by_id.remove(&id);
        hardware.drop_space(id);
    }

    /// Finds the page behind an address for an access, and what the program may do with it; takes
    /// a page at the first touch, copies one that is shared at the first write.
    pub fn fault(
        &mut self,
        hardware: &mut dyn Hardware,
        contents: &dyn Contents,
        id: SpaceId,
        address: u64,
        access: Access,
    ) -> Result<(PageNumber, Rights), MemoryFault> {
        hardware.account(Work::Lookups(2));
        let base = page_base(address);
        let (start, region) = self.space(id).region(address).ok_or(MemoryFault::Unmapped)?;
        if !region.rights.allow(access) {
            return Err(MemoryFault::Forbidden);
        }
        let resident = if let Some(resident) = self.space(id).pages.get(&base).copied() {
            resident
        } else {
            let brought = self.bring(hardware, contents, region.source.advanced(base - start))?;
            // At once: what follows may fail, and the page must not be lost then.
            self.space(id).pages.insert(base, brought);
            brought
        };
        let resident = if access == Access::Write && resident.copied_on_write {
            self.own(hardware, resident)?
        } else {
            hardware.provide(resident.page, access)?;
            resident
        };
        self.space(id).pages.insert(base, resident);
        let write = region.rights.write && !resident.copied_on_write;
        Ok((resident.page, Rights { write, ..region.rights }))
    }

    /// Takes a page and fills it.
    fn bring(
        &mut self,
        hardware: &mut dyn Hardware,
        contents: &dyn Contents,
        source: Source,
    ) -> Result<Resident, MemoryFault> {
        if let Source::Shared { object, offset } = source
            && let Some(page) = self.objects.get(&object).and_then(|pages| pages.get(&offset))
        {
            let page = *page;
            self.pool.retain(page);
            return Ok(Resident { page, copied_on_write: false });
        }
        let page = self.take_page(hardware)?;
        match source {
            Source::Zeros => {}
            Source::File { node, offset, end } => {
                let mut buffer = [0; PAGE_BYTES as usize];
                let shown = end.saturating_sub(offset).min(PAGE_BYTES) as usize;
                contents.fill(node, offset, &mut buffer[..shown]);
                hardware.write(page, 0, &buffer);
            }
            Source::Shared { object, offset } => {
                self.pool.retain(page);
                self.objects.entry(object).or_default().insert(offset, page);
            }
        }
        Ok(Resident { page, copied_on_write: false })
    }

    /// Takes a page of zeros.
    fn take_page(&mut self, hardware: &mut dyn Hardware) -> Result<PageNumber, MemoryFault> {
        let page = self.pool.allocate().ok_or(MemoryFault::Exhausted)?;
        if let Err(unavailable) = hardware.provide(page, Access::Write) {
            self.pool.release(page);
            return Err(unavailable.into());
        }
        hardware.write(page, 0, &[0; PAGE_BYTES as usize]);
        hardware.account(Work::Stores(PAGE_WORDS));
        Ok(page)
    }

    /// Gives a space a page of its own with the content of one that it shares.
    fn own(
        &mut self,
        hardware: &mut dyn Hardware,
        resident: Resident,
    ) -> Result<Resident, MemoryFault> {
        let mut page = resident.page;
        if self.pool.is_shared(page) {
            hardware.provide(page, Access::Read)?;
            page = self.take_page(hardware)?;
            let mut content = [0; PAGE_BYTES as usize];
            hardware.read(resident.page, 0, &mut content);
            hardware.write(page, 0, &content);
            hardware.account(Work::Loads(PAGE_WORDS));
            self.pool.release(resident.page);
        } else {
            hardware.provide(page, Access::Write)?;
        }
        Ok(Resident { page, copied_on_write: false })
    }
}

/// The shared memory that a region shows.
fn object_of(source: Source) -> Option<ObjectId> {
    match source {
        Source::Shared { object, .. } => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::tests::Flat;

    const ALL: Rights = Rights { read: true, write: true, execute: false };
    const AT: u64 = 0x2_0000;

    struct Nothing;

    impl Contents for Nothing {
        fn fill(&self, node: NodeId, offset: u64, buffer: &mut [u8]) {
            buffer.fill(0);
            let Some(first) = buffer.first_mut() else { return };
            *first = node.0 as u8 + (offset / PAGE_BYTES) as u8;
        }
    }

    struct World {
        spaces: Spaces,
        flat: Flat,
    }

    impl World {
        fn new(pages: u32) -> (Self, SpaceId) {
            let mut spaces = Spaces::new(pages);
            let id = spaces.create();
            (Self { spaces, flat: Flat::default() }, id)
        }

        fn map(&mut self, id: SpaceId, pages: u64, source: Source) {
            let region = Region { end: AT + pages * PAGE_BYTES, rights: ALL, source };
            self.spaces.map(&mut self.flat, id, AT, region);
        }

        fn touch(
            &mut self,
            id: SpaceId,
            at: u64,
            access: Access,
        ) -> Result<PageNumber, MemoryFault> {
            self.spaces.fault(&mut self.flat, &Nothing, id, at, access).map(|(page, _)| page)
        }

        fn put(&mut self, id: SpaceId, at: u64, byte: u8) {
            let page = self.touch(id, at, Access::Write).unwrap();
            self.flat.write(page, (at % PAGE_BYTES) as usize, &[byte]);
        }

        fn byte(&mut self, id: SpaceId, at: u64) -> u8 {
            let page = self.touch(id, at, Access::Read).unwrap();
            let mut byte = [0];
            self.flat.read(page, (at % PAGE_BYTES) as usize, &mut byte);
            byte[0]
        }
    }

    #[test]
    fn a_page_is_taken_at_the_first_touch_and_given_back() {
        let (mut world, id) = World::new(8);
        world.map(id, 4, Source::Zeros);
        assert_eq!(world.spaces.used_pages(), 0);
        assert_eq!(world.byte(id, AT + 5), 0);
        world.put(id, AT + 5, 7);
        assert_eq!((world.byte(id, AT + 5), world.spaces.used_pages()), (7, 1));
        world.spaces.unmap(&mut world.flat, id, AT, AT + PAGE_BYTES);
        assert_eq!(world.spaces.used_pages(), 0);
        assert_eq!(world.touch(id, AT, Access::Read), Err(MemoryFault::Unmapped));
    }

    #[test]
    fn a_file_fills_its_pages_from_its_offset_up_to_its_end() {
        let (mut world, id) = World::new(8);
        world.map(id, 2, Source::File { node: NodeId(9), offset: PAGE_BYTES, end: 2 * PAGE_BYTES });
        assert_eq!((world.byte(id, AT), world.byte(id, AT + PAGE_BYTES)), (10, 0));
    }

    #[test]
    fn a_fork_shares_pages_until_one_side_writes() {
        let (mut world, parent) = World::new(8);
        world.map(parent, 1, Source::Zeros);
        world.put(parent, AT, 1);
        let child = world.spaces.fork(&mut world.flat, parent);
        assert_eq!((world.byte(child, AT), world.spaces.used_pages()), (1, 1));
        world.put(child, AT, 2);
        assert_eq!((world.byte(parent, AT), world.byte(child, AT)), (1, 2));
        assert_eq!(world.spaces.used_pages(), 2);
        world.put(parent, AT, 3);
        assert_eq!(world.spaces.used_pages(), 2, "the last owner writes in place");
        world.spaces.end(&mut world.flat, child);
        assert_eq!((world.byte(parent, AT), world.spaces.used_pages()), (3, 1));
    }

    #[test]
    fn shared_memory_stays_shared_also_where_it_is_touched_late() {
        let (mut world, parent) = World::new(8);
        let object = world.spaces.create_object();
        world.map(parent, 2, Source::Shared { object, offset: 0 });
        world.put(parent, AT, 1);
        let child = world.spaces.fork(&mut world.flat, parent);
        world.put(child, AT, 2);
        world.put(child, AT + PAGE_BYTES, 3);
        assert_eq!((world.byte(parent, AT), world.byte(parent, AT + PAGE_BYTES)), (2, 3));
        world.spaces.end(&mut world.flat, child);
        assert_eq!(world.byte(parent, AT + PAGE_BYTES), 3);
        world.spaces.end(&mut world.flat, parent);
        assert_eq!(world.spaces.used_pages(), 0);
    }

    #[test]
    fn a_page_that_cannot_be_provided_changes_nothing() {
        let (mut world, id) = World::new(8);
        world.map(id, 1, Source::Zeros);
        world.flat.refuse = 1;
        assert!(matches!(world.touch(id, AT, Access::Write), Err(MemoryFault::Unavailable(_))));
        assert_eq!(world.spaces.used_pages(), 0);
        assert!(world.touch(id, AT, Access::Write).is_ok());
    }

    #[test]
    fn memory_ends_and_rights_hold() {
        let (mut world, id) = World::new(1);
        world.map(id, 2, Source::Zeros);
        world.put(id, AT, 1);
        assert_eq!(world.touch(id, AT + PAGE_BYTES, Access::Read), Err(MemoryFault::Exhausted));
        assert_eq!(world.touch(id, AT, Access::Execute), Err(MemoryFault::Forbidden));
    }
}
