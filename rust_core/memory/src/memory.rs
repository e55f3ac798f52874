//! Checked accesses to a machine's physical memory.

use crate::{Frames, MemoryError, PAGE_BYTES, PageId, PageStore, PhysicalAddress, Use};

/// A machine's frames together with the store that holds their pages.
///
/// All values are little-endian, as RISC-V memory is. Every write copies a shared page first,
/// marks the frame dirty and voids decoded code of the page; a write that fails changed nothing.
#[derive(Debug)]
pub struct Memory<'a> {
    /// The pages.
    pub store: &'a mut PageStore,
    /// The frames that name them.
    pub frames: &'a mut Frames,
}

impl Memory<'_> {
    /// The same memory for a shorter time.
    pub fn reborrow(&mut self) -> Memory<'_> {
        Memory { store: self.store, frames: self.frames }
    }

    /// Fills `buffer` from `address` upwards; may cross pages.
    pub fn read(&self, address: PhysicalAddress, buffer: &mut [u8]) -> Result<(), MemoryError> {
        self.read_for(Use::Read, address, buffer)
    }

    /// The same for a device.
    pub fn device_read(
        &self,
        address: PhysicalAddress,
        buffer: &mut [u8],
    ) -> Result<(), MemoryError> {
        self.read_for(Use::DeviceRead, address, buffer)
    }

    fn read_for(
        &self,
        purpose: Use,
        address: PhysicalAddress,
        buffer: &mut [u8],
    ) -> Result<(), MemoryError> {
        self.check(address, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let (position, length) = piece(address, done, buffer.len());
            let start = self.offset_for(purpose, position).ok_or(out_of_range(position, 1))?
                + position.page_offset();
            buffer[done..done + length].copy_from_slice(&self.store.bytes()[start..start + length]);
            done += length;
        }
        Ok(())
    }

    /// Writes `bytes` from `address` upwards; may cross pages; all of it or nothing.
    pub fn write(&mut self, address: PhysicalAddress, bytes: &[u8]) -> Result<(), MemoryError> {
        self.write_for(Use::Write, address, bytes)
    }

    /// The same for a device.
    pub fn device_write(
        &mut self,
        address: PhysicalAddress,
        bytes: &[u8],
    ) -> Result<(), MemoryError> {
        self.write_for(Use::DeviceWrite, address, bytes)
    }

    fn write_for(
        &mut self,
        purpose: Use,
        address: PhysicalAddress,
        bytes: &[u8],
    ) -> Result<(), MemoryError> {
        self.check(address, bytes.len())?;
        self.reserve(address, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let (position, length) = piece(address, done, bytes.len());
            let start = self.writable_offset_for(purpose, position)? + position.page_offset();
            self.store.bytes_mut()[start..start + length]
                .copy_from_slice(&bytes[done..done + length]);
            done += length;
        }
        Ok(())
    }

    /// Refuses unless a write of `length` bytes would find room for the copies that it needs.
    pub fn reserve(&self, address: PhysicalAddress, length: usize) -> Result<(), MemoryError> {
        let mut pages = 0;
        let mut done = 0;
        while done < length {
            let (position, step) = piece(address, done, length);
            let number = self.frames.number_of(position).ok_or(out_of_range(position, 1))?;
            pages += usize::from(self.frames.needs_page(self.store, number));
            done += step;
        }
        Ok(self.store.reserve(pages)?)
    }

    /// Reads one byte.
    pub fn read_u8(&self, address: PhysicalAddress) -> Result<u8, MemoryError> {
        self.read_array(address).map(u8::from_le_bytes)
    }

    /// Reads two bytes.
    pub fn read_u16(&self, address: PhysicalAddress) -> Result<u16, MemoryError> {
        self.read_array(address).map(u16::from_le_bytes)
    }

    /// Reads four bytes.
    pub fn read_u32(&self, address: PhysicalAddress) -> Result<u32, MemoryError> {
        self.read_array(address).map(u32::from_le_bytes)
    }

    /// Reads eight bytes.
    pub fn read_u64(&self, address: PhysicalAddress) -> Result<u64, MemoryError> {
        self.read_array(address).map(u64::from_le_bytes)
    }

    /// Writes one byte.
    pub fn write_u8(&mut self, address: PhysicalAddress, value: u8) -> Result<(), MemoryError> {
        self.write(address, &value.to_le_bytes())
    }

    /// Writes two bytes.
    pub fn write_u16(&mut self, address: PhysicalAddress, value: u16) -> Result<(), MemoryError> {
        self.write(address, &value.to_le_bytes())
    }

    /// Writes four bytes.
    pub fn write_u32(&mut self, address: PhysicalAddress, value: u32) -> Result<(), MemoryError> {
        self.write(address, &value.to_le_bytes())
    }

    /// Writes eight bytes.
    pub fn write_u64(&mut self, address: PhysicalAddress, value: u64) -> Result<(), MemoryError> {
        self.write(address, &value.to_le_bytes())
    }

    /// The offset in the store of the page that holds `address`, for reading.
    #[inline]
    pub fn readable_offset(&self, address: PhysicalAddress) -> Option<usize> {
        self.offset_for(Use::Read, address)
    }

    /// The same for a hart's walk of page tables.
    #[inline]
    pub fn table_offset(&self, address: PhysicalAddress) -> Option<usize> {
        self.offset_for(Use::Walk, address)
    }

    #[inline]
    fn offset_for(&self, purpose: Use, address: PhysicalAddress) -> Option<usize> {
        let page = self.frames.page_id(address)?;
        self.frames.tell(purpose, address);
        Some(page.offset())
    }

    /// The offset in the store of the page that holds `address`, for writing: the page is now
    /// exclusive, dirty and free of decoded code, until the frames' generation changes.
    pub fn writable_offset(&mut self, address: PhysicalAddress) -> Result<usize, MemoryError> {
        self.writable_offset_for(Use::Write, address)
    }

    /// The same for a hart's marks in page tables.
    pub fn markable_offset(&mut self, address: PhysicalAddress) -> Result<usize, MemoryError> {
        self.writable_offset_for(Use::Mark, address)
    }

    fn writable_offset_for(
        &mut self,
        purpose: Use,
        address: PhysicalAddress,
    ) -> Result<usize, MemoryError> {
        let number = self.frames.number_of(address).ok_or(out_of_range(address, 1))?;
        self.frames.tell(purpose, address);
        Ok(self.frames.make_writable(self.store, number)?)
    }

    /// The page that holds `address` and its code version, for decoding: a later write to the
    /// page changes the version.
    pub fn code_page(&mut self, address: PhysicalAddress) -> Option<(PageId, u32)> {
        let number = self.frames.number_of(address)?;
        self.frames.tell(Use::Execute, address);
        let page = self.frames.mark_code(self.store, number);
        Some((page, self.store.code_version(page)))
    }

    /// Reads two bytes to be executed.
    pub fn read_code(&self, address: PhysicalAddress) -> Result<u16, MemoryError> {
        let mut bytes = [0; 2];
        self.read_for(Use::Execute, address, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    fn read_array<const N: usize>(&self, address: PhysicalAddress) -> Result<[u8; N], MemoryError> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    fn check(&self, address: PhysicalAddress, length: usize) -> Result<(), MemoryError> {
        if self.frames.contains(address, length as u64) {
            return Ok(());
        }
        Err(out_of_range(address, length as u64))
    }
}

/// The part of an access that starts `done` bytes in and stays within one page: where it is and
/// how long.
fn piece(address: PhysicalAddress, done: usize, total: usize) -> (PhysicalAddress, usize) {
    let position = PhysicalAddress(address.0.wrapping_add(done as u64));
    (position, (PAGE_BYTES - position.page_offset()).min(total - done))
}

fn out_of_range(address: PhysicalAddress, length: u64) -> MemoryError {
    MemoryError::OutOfRange { address, length }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: PhysicalAddress = PhysicalAddress(0x8000_0000);

    fn world(frames: u64) -> (PageStore, Frames) {
        (PageStore::new(1 << 20), Frames::new(BASE, frames))
    }

    fn at(offset: u64) -> PhysicalAddress {
        PhysicalAddress(BASE.0 + offset)
    }

    #[test]
    fn tables_that_are_too_large_are_refused() {
        assert!(Frames::try_new(BASE, u64::MAX / PAGE_BYTES as u64).is_err());
        let frames = Frames::try_new(BASE, 65).unwrap();
        assert_eq!((frames.count(), frames.generation()), (65, 0));
        assert!(frames.contains(BASE, 65 * PAGE_BYTES as u64));
    }

    #[test]
    fn values_are_little_endian_and_may_cross_pages() {
        let (mut store, mut frames) = world(2);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        memory.write_u64(at(4092), 0x8877_6655_4433_2211).unwrap();
        assert_eq!(memory.read_u8(at(4092)), Ok(0x11));
        assert_eq!(memory.read_u32(at(4096)), Ok(0x8877_6655));
        assert_eq!(memory.read_u64(at(4092)), Ok(0x8877_6655_4433_2211));
    }

    #[test]
    fn an_access_outside_is_refused_whole() {
        let (mut store, mut frames) = world(1);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        for address in [at(4093), at(4096), PhysicalAddress(0), PhysicalAddress(u64::MAX - 1)] {
            let refused = Err(MemoryError::OutOfRange { address, length: 4 });
            assert_eq!(memory.write_u32(address, 1), refused);
        }
        assert_eq!(memory.store.used_bytes(), 0);
    }

    #[test]
    fn a_clone_shares_until_one_side_writes() {
        let (mut store, mut frames) = world(2);
        Memory { store: &mut store, frames: &mut frames }.write_u8(at(0), 1).unwrap();
        let mut clone = frames.clone_shared(&mut store);
        assert_eq!(store.used_bytes(), 4096);
        Memory { store: &mut store, frames: &mut clone }.write_u8(at(0), 2).unwrap();
        assert_eq!(store.used_bytes(), 8192);
        assert_eq!(Memory { store: &mut store, frames: &mut frames }.read_u8(at(0)), Ok(1));
        clone.release_all(&mut store);
        frames.release_all(&mut store);
        assert_eq!(store.used_bytes(), 0);
    }

    #[test]
    fn a_store_without_room_leaves_both_pages_alone() {
        let mut store = PageStore::new(2 * 4096);
        let mut frames = Frames::new(BASE, 2);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        assert!(matches!(memory.write_u64(at(4092), u64::MAX), Err(MemoryError::StoreFull(_))));
        assert_eq!(memory.read_u64(at(4092)), Ok(0));
        assert!(memory.frames.take_dirty().is_empty());
        assert!(memory.write_u32(at(0), 5).is_ok());
    }

    #[test]
    fn the_dirty_log_names_written_frames_once() {
        let (mut store, mut frames) = world(130);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        for offset in [129 * 4096, 64 * 4096, 64 * 4096 + 8, 0] {
            memory.write_u8(at(offset), 0).unwrap();
        }
        assert_eq!(memory.frames.take_dirty(), [0, 64, 129]);
        assert!(memory.frames.take_dirty().is_empty());
    }

    #[test]
    fn every_event_that_ends_an_offset_changes_the_generation() {
        let (mut store, mut frames) = world(1);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        let mut last = memory.frames.generation();
        let mut changed = |memory: &Memory<'_>| {
            std::mem::replace(&mut last, memory.frames.generation()) != memory.frames.generation()
        };
        memory.writable_offset(at(0)).unwrap();
        assert!(changed(&memory), "copy of the zero page");
        memory.writable_offset(at(0)).unwrap();
        assert!(!changed(&memory), "already exclusive");
        let (page, version) = memory.code_page(at(0)).unwrap();
        assert!(changed(&memory), "first code mark");
        memory.code_page(at(0)).unwrap();
        assert!(!changed(&memory), "already marked");
        memory.writable_offset(at(0)).unwrap();
        assert!(changed(&memory), "code voided");
        assert_ne!(memory.store.code_version(page), version);
        memory.frames.share(memory.store, at(0)).unwrap();
        assert!(changed(&memory), "shared");
        memory.frames.take_dirty();
        assert!(changed(&memory), "dirty log taken");
    }

    #[test]
    fn writing_a_shared_page_with_code_keeps_the_others_code() {
        let (mut store, mut frames) = world(1);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        memory.write_u32(at(0), 0x13).unwrap();
        let (page, version) = memory.code_page(at(0)).unwrap();
        memory.frames.share(memory.store, at(0)).unwrap();
        memory.write_u32(at(0), 0x33).unwrap();
        assert_ne!(memory.frames.page_id(at(0)), Some(page));
        assert_eq!(memory.store.code_version(page), version);
        assert!(memory.store.has_code(page));
    }
}
