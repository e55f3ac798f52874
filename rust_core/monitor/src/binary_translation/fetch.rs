//! Fetching the guest's code for translation, as hardware would: through the guest's own tables.

use super::cache::{CodePage, Content};
use super::sheet::PAGE;
use super::translator::{MOST_SOURCE_BYTES, bits_at};
use super::vcpu::BinaryTranslation;
use crate::error::HostError;
use crate::guest_pages::provide;
use crate::shadow::Original;
use crate::shadow::guest_walk::{Access, GuestFault, GuestLeaf};
use crate::shadow::tree::TableFrames;
use crate::technique::Site;
use dcsim_hart::Exception;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;

/// Bytes of code, and where they were found.
#[derive(Debug)]
pub(super) struct Source {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// The pages that hold them.
    pub(super) code: CodePage,
    /// The guest's leaves that lead to these.
    leaves: Vec<GuestLeaf>,
    /// The frames that hold them.
    frames: Vec<PhysicalAddress>,
}

/// A fetch that the guest itself cannot make: the exception, and its value.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct FetchFault {
    /// The exception.
    pub(super) exception: Exception,
    /// The address.
    pub(super) address: u64,
}

/// What a fetch comes to.
pub(super) type Fetched<T> = Result<Result<T, FetchFault>, HostError>;

impl Source {
    /// Where the code is, and what leads there.
    pub(super) fn originals(&self) -> Vec<Original> {
        let addresses = [self.code.address, self.code.address.wrapping_add(PAGE)];
        addresses.into_iter().zip(self.leaves.iter().copied()).collect()
    }

    /// The highest level of the guest's leaves.
    pub(super) fn level(&self) -> u32 {
        self.leaves.iter().map(|leaf| leaf.level).max().unwrap_or(0)
    }

    /// The content of the pages, to be recognised when devices may have written.
    pub(super) fn contents(&self, site: &mut Site<'_>) -> Vec<Content> {
        let content = |frame: &PhysicalAddress| {
            let (page, version) = site.memory.code_page(*frame)?;
            Some(Content { frame: *frame, page, version })
        };
        self.frames.iter().filter_map(content).collect()
    }
}

impl BinaryTranslation {
    /// Where the guest's tables say that its code at an address is: the page, and the level.
    pub(super) fn fetch_page(
        &mut self,
        site: &mut Site<'_>,
        address: u64,
    ) -> Fetched<(u64, GuestLeaf)> {
        let walked = self.base.resolver().walk(site, address, Access::Fetch);
        let exception = match walked? {
            Err(GuestFault::Page) => Exception::InstructionPageFault,
            Err(GuestFault::Access) => Exception::InstructionAccessFault,
            Ok(leaf) => match self.base.map.page_of(leaf.address) {
                Some(page) => return Ok(Ok((page, leaf))),
                None => Exception::InstructionAccessFault,
            },
        };
        Ok(Err(FetchFault { exception, address }))
    }

    /// Fetches code from an address to the end of its page at most; one instruction that crosses
    /// the page, if it begins with that. Needs two reserved frames.
    pub(super) fn fetch(&mut self, site: &mut Site<'_>, pc: u64) -> Fetched<Source> {
        let (page, leaf) = match self.fetch_page(site, pc)? {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        let within = pc % PAGE;
        let length = MOST_SOURCE_BYTES.min((PAGE - within) as usize);
        let (mut bytes, frame) = self.read_code(site, page, within, length)?;
        let code = CodePage { address: pc - within, physical: vec![page] };
        let (leaves, frames) = (vec![leaf], vec![frame]);
        let mut source = Source { bytes: Vec::new(), code, leaves, frames };
        if bits_at(&bytes).is_none() {
            let next = pc.wrapping_add(2);
            let (page, leaf) = match self.fetch_page(site, next)? {
                Ok(found) => found,
                Err(fault) => return Ok(Err(fault)),
            };
            let (rest, frame) = self.read_code(site, page, 0, 2)?;
            bytes.extend(rest);
            source.code.physical.push(page);
            source.frames.push(frame);
            source.leaves.push(leaf);
        }
        Ok(Ok(Source { bytes, ..source }))
    }

    fn read_code(
        &mut self,
        site: &mut Site<'_>,
        page: u64,
        within: u64,
        length: usize,
    ) -> Result<(Vec<u8>, PhysicalAddress), HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let frame = provide(&mut meter, &mut frames, &self.base.map, page)?;
        let mut bytes = vec![0; length];
        meter.read_bytes(PhysicalAddress(frame.0 + within), &mut bytes)?;
        Ok((bytes, frame))
    }
}
