//! A VM at rest: registers, devices and memory, the same under every technique.
//!
//! The byte form, for files and for digests:
//!
//! ```text
//! "DCSIM-VM"  version u32  memory bytes u64  registers  devices  vCPUs  pages u64
//! then for each page with content, ascending: number u64, 4096 bytes
//! then the SHA-256 of everything before
//! ```
//!
//! Version 4 has the registers of one vCPU and nothing for "vCPUs"; version 5 has there the number of
//! the others, u64, and their registers.
//!
//! Numbers are little-endian; registers and devices have their length in bytes before them, as
//! u64. Pages of zeros are left out.

use crate::assumed;
use crate::config::MOST_VCPUS;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use dcsim_machine::BoardState;
use dcsim_memory::{PAGE_BYTES, PageId, PageStore};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"DCSIM-VM";
/// Of a VM with one vCPU, and with several.
const VERSIONS: [u32; 2] = [4, 5];
const DIGEST_BYTES: usize = 32;

/// A saved VM. It holds references to pages: give them back with [`VmState::release`].
#[derive(Clone, Debug)]
pub struct VmState {
    /// Registers of the first vCPU.
    pub cpu: CpuState,
    /// Registers of the others.
    pub others: Vec<CpuState>,
    /// Devices, the disk's content included but for the byte form.
    pub board: BoardState,
    /// Every page of the guest's memory, in order; zeros are [`PageId::ZERO`].
    pub pages: Vec<PageId>,
}

impl VmState {
    /// The size of the guest's memory.
    pub fn memory_bytes(&self) -> u64 {
        (self.pages.len() * PAGE_BYTES) as u64
    }

    /// Pages with content.
    pub fn content_pages(&self) -> u64 {
        self.content().count() as u64
    }

    /// Pages of zeros.
    pub fn zero_pages(&self) -> u64 {
        self.pages.len() as u64 - self.content_pages()
    }

    /// Bytes of registers and devices.
    pub fn device_bytes(&self) -> u64 {
        let registers: usize = self.cpus().iter().map(|cpu| cpu.encode().len()).sum();
        (registers + self.board.encode().len()) as u64
    }

    /// Registers of all vCPUs.
    pub fn cpus(&self) -> Vec<CpuState> {
        std::iter::once(&self.cpu).chain(&self.others).cloned().collect()
    }

    /// Bytes that cross a link when the VM moves.
    pub fn transfer_bytes(&self) -> u64 {
        self.content_pages() * (PAGE_BYTES as u64 + assumed::PAGE_NUMBER.value)
            + self.device_bytes()
    }

    /// Gives the pages back.
    pub fn release(&mut self, store: &mut PageStore) {
        for page in self.pages.drain(..) {
            store.release(page);
        }
    }

    /// Compares every byte with another state in the same store and names what differs.
    pub fn differences(&self, other: &Self, store: &PageStore) -> Vec<String> {
        self.compare(other, |here, there| here == there || store.page(here) == store.page(there))
    }

    /// Compares every byte with a state whose pages lie in another store.
    pub fn differences_between(
        &self,
        store: &PageStore,
        other: &Self,
        other_store: &PageStore,
    ) -> Vec<String> {
        self.compare(other, |here, there| store.page(here) == other_store.page(there))
    }

    fn compare(&self, other: &Self, same: impl Fn(PageId, PageId) -> bool) -> Vec<String> {
        let mut differences = Vec::new();
        if (&self.cpu, &self.others) != (&other.cpu, &other.others) {
            differences.push("registers".to_owned());
        }
        if self.board.encode() != other.board.encode() {
            differences.push("devices".to_owned());
        }
        if self.pages.len() != other.pages.len() {
            let (here, there) = (self.memory_bytes(), other.memory_bytes());
            differences.push(format!("size of memory: {here} and {there} bytes"));
        }
        let pairs = self.pages.iter().zip(&other.pages).enumerate();
        differences.extend(
            pairs
                .filter(|(_, (here, there))| !same(**here, **there))
                .map(|(number, _)| format!("page {number}")),
        );
        differences
    }

    /// The SHA-256 of the byte form without its own digest.
    pub fn digest(&self, store: &PageStore) -> [u8; DIGEST_BYTES] {
        let mut hasher = Sha256::new();
        self.write(store, &mut |bytes| hasher.update(bytes));
        hasher.finalize().into()
    }

    /// The byte form.
    pub fn to_bytes(&self, store: &PageStore) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(store, &mut |part| bytes.extend_from_slice(part));
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }

    fn write(&self, store: &PageStore, sink: &mut dyn FnMut(&[u8])) {
        sink(MAGIC);
        sink(&VERSIONS[usize::from(!self.others.is_empty())].to_le_bytes());
        sink(&self.memory_bytes().to_le_bytes());
        let mut part = |bytes: &[u8]| {
            sink(&(bytes.len() as u64).to_le_bytes());
            sink(bytes);
        };
        part(&self.cpu.encode());
        part(&self.board.encode());
        if !self.others.is_empty() {
            sink(&(self.others.len() as u64).to_le_bytes());
        }
        for other in self.others.iter().map(CpuState::encode) {
            sink(&(other.len() as u64).to_le_bytes());
            sink(&other);
        }
        sink(&self.content_pages().to_le_bytes());
        for (number, page) in self.content() {
            sink(&(number as u64).to_le_bytes());
            sink(store.page(page));
        }
    }

    fn content(&self) -> impl Iterator<Item = (usize, PageId)> {
        self.pages.iter().copied().enumerate().filter(|(_, page)| *page != PageId::ZERO)
    }

    /// Reads the byte form. The bytes are not trusted.
    pub fn from_bytes(store: &mut PageStore, bytes: &[u8]) -> Result<Self, HostError> {
        let split = bytes.len().checked_sub(DIGEST_BYTES).ok_or(invalid("it is too short"))?;
        let (body, digest) = bytes.split_at(split);
        if Sha256::digest(body)[..] != *digest {
            return Err(invalid("its digest does not match"));
        }
        let mut reader = Reader { bytes: body };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(invalid("it is no VM"));
        }
        let version = reader.take(4)?;
        let several = VERSIONS.iter().position(|known| version == known.to_le_bytes());
        let several = several.ok_or(invalid("it has another version"))? == 1;
        let memory_bytes = reader.number()?;
        let cpu = CpuState::decode(reader.part()?).ok_or(invalid("its registers"))?;
        let board =
            BoardState::decode(reader.part()?).map_err(|e| HostError::State(e.to_string()))?;
        let count = usize::try_from(memory_bytes / PAGE_BYTES as u64)
            .ok()
            .filter(|count| *count <= MOST_PAGES)
            .ok_or(invalid("its memory is too large"))?;
        let others = if several { read_others(&mut reader)? } else { Vec::new() };
        let mut state = Self { cpu, others, board, pages: vec![PageId::ZERO; count] };
        match state.read_pages(store, &mut reader) {
            Ok(()) => Ok(state),
            Err(error) => {
                state.release(store);
                Err(error)
            }
        }
    }

    fn read_pages(
        &mut self,
        store: &mut PageStore,
        reader: &mut Reader<'_>,
    ) -> Result<(), HostError> {
        for _ in 0..reader.number()? {
            let number = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
            let slot = self.pages.get_mut(number).ok_or(invalid("a page outside its memory"))?;
            let content = reader.take(PAGE_BYTES)?.try_into().map_err(|_| invalid("a page"))?;
            let page = store.insert(content)?;
            store.release(std::mem::replace(slot, page));
        }
        if reader.bytes.is_empty() { Ok(()) } else { Err(invalid("bytes behind its end")) }
    }
}

/// 16 GiB.
const MOST_PAGES: usize = 1 << 22;

fn invalid(what: &str) -> HostError {
    HostError::State(what.to_owned())
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], HostError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(invalid("it is cut off"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, HostError> {
        let bytes = self.take(8)?.try_into().map_err(|_| invalid("a number"))?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn part(&mut self) -> Result<&'a [u8], HostError> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| invalid("a length"))?)
    }
}

/// Reads the registers of the other vCPUs of a VM that has several.
fn read_others(reader: &mut Reader<'_>) -> Result<Vec<CpuState>, HostError> {
    let count = reader.number()?;
    if count == 0 || count >= MOST_VCPUS as u64 {
        return Err(invalid("its number of vCPUs"));
    }
    let read = |_| CpuState::decode(reader.part()?).ok_or(invalid("its registers"));
    (0..count).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(store: &mut PageStore) -> VmState {
        let mut content = [0; PAGE_BYTES];
        content[9] = 7;
        let page = store.insert(&content).unwrap();
        VmState {
            others: Vec::new(),
            cpu: CpuState::at_entry(0x8020_0000, 0x8100_0000),
            board: BoardState::default(),
            pages: vec![PageId::ZERO, page, PageId::ZERO],
        }
    }

    #[test]
    fn sizes_count_content_and_zeros_apart() {
        let mut store = PageStore::new(1 << 20);
        let state = sample(&mut store);
        assert_eq!((state.content_pages(), state.zero_pages()), (1, 2));
        assert_eq!(state.memory_bytes(), 3 * 4096);
        assert_eq!(state.transfer_bytes(), 4096 + 8 + state.device_bytes());
    }

    #[test]
    fn the_byte_form_is_read_back_and_keeps_its_digest() {
        let mut store = PageStore::new(1 << 20);
        let mut state = sample(&mut store);
        let bytes = state.to_bytes(&store);
        let mut other = VmState::from_bytes(&mut store, &bytes).unwrap();
        assert!(state.differences(&other, &store).is_empty());
        assert_eq!(state.digest(&store), other.digest(&store));
        assert_eq!(state.digest(&store)[..], bytes[bytes.len() - 32..]);
        state.release(&mut store);
        other.release(&mut store);
        assert_eq!(store.used_bytes(), 0);
    }

    #[test]
    fn every_difference_is_named() {
        let mut store = PageStore::new(1 << 20);
        let state = sample(&mut store);
        let mut other = sample(&mut store);
        assert!(state.differences(&other, &store).is_empty());
        other.cpu.x[7] = 1;
        other.pages.swap(0, 1);
        let expected = ["registers", "page 0", "page 1"];
        assert_eq!(state.differences(&other, &store), expected);
    }

    #[test]
    fn damaged_bytes_are_refused_and_leave_nothing_behind() {
        let mut store = PageStore::new(1 << 20);
        let mut state = sample(&mut store);
        let bytes = state.to_bytes(&store);
        state.release(&mut store);
        for length in [0, 31, 40, bytes.len() - 1] {
            assert!(VmState::from_bytes(&mut store, &bytes[..length]).is_err());
        }
        let mut flipped = bytes.clone();
        flipped[20] ^= 1;
        assert!(VmState::from_bytes(&mut store, &flipped).is_err());
        assert_eq!(store.used_bytes(), 0);
    }
}
