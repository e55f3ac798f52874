//! Reading and writing what files hold.

use super::NodeId;
use super::node::{Content, Kind};
use super::tree::Tree;
use crate::errno::Errno;
use crate::memory::spaces::Contents;

/// The largest file that a program may make.
const LONGEST_FILE: u64 = 1 << 32;

impl Contents for Tree {
    fn fill(&self, node: NodeId, offset: u64, buffer: &mut [u8]) {
        let length = self.read(node, offset, buffer);
        buffer[length..].fill(0);
    }
}

impl Tree {
    /// Reads a file of the folder, if that has not been done: [`Self::read`] then finds it.
    pub fn load(&mut self, id: NodeId) -> Result<(), Errno> {
        let node = self.node(id);
        let (Kind::File(Content::Unread(_)), Some(origin), Some(folder)) =
            (&node.kind, &node.origin, &self.folder)
        else {
            return Ok(());
        };
        let bytes = folder.read(origin).map_err(|_| Errno::InputOutput)?;
        self.node_mut(id).kind = Kind::File(Content::Bytes(bytes));
        Ok(())
    }

    /// The bytes of a file that was loaded.
    pub fn bytes(&self, id: NodeId) -> Option<&[u8]> {
        match &self.node(id).kind {
            Kind::File(Content::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Fills `buffer` from `offset` of a file that was loaded; tells how far there was anything.
    pub fn read(&self, id: NodeId, offset: u64, buffer: &mut [u8]) -> usize {
        let Some(bytes) = self.bytes(id) else { return 0 };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = buffer.len().min(bytes.len() - start);
        buffer[..length].copy_from_slice(&bytes[start..start + length]);
        length
    }

    /// Writes to a file that was loaded, which grows if it has to.
    pub fn write(
        &mut self,
        id: NodeId,
        offset: u64,
        content: &[u8],
        now_ns: u64,
    ) -> Result<(), Errno> {
        let end = offset.checked_add(content.len() as u64).ok_or(Errno::FileTooLarge)?;
        if end > self.node(id).size() {
            self.resize(id, end, now_ns)?;
        }
        let node = self.node_mut(id);
        node.changed_ns = now_ns;
        let Kind::File(Content::Bytes(bytes)) = &mut node.kind else { return Err(Errno::Invalid) };
        bytes[offset as usize..end as usize].copy_from_slice(content);
        Ok(())
    }

    /// Makes a file that was loaded shorter, or longer with zeros.
    pub fn resize(&mut self, id: NodeId, size: u64, now_ns: u64) -> Result<(), Errno> {
        if size > LONGEST_FILE {
            return Err(Errno::FileTooLarge);
        }
        self.charge(self.node(id).size(), size)?;
        let node = self.node_mut(id);
        node.changed_ns = now_ns;
        let Kind::File(Content::Bytes(bytes)) = &mut node.kind else { return Err(Errno::Invalid) };
        bytes.resize(size as usize, 0);
        Ok(())
    }

    /// Bytes in files beside what the folder holds.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Accounts what files hold: so many bytes become so many.
    pub(super) fn charge(&mut self, before: u64, after: u64) -> Result<(), Errno> {
        let total = (self.written_bytes + after).saturating_sub(before);
        if after > before && total > self.limit_bytes {
            return Err(Errno::NoSpace);
        }
        self.written_bytes = total;
        Ok(())
    }

    /// Gives back what a file holds that has no name and no user any more.
    pub(super) fn end_if_unused(&mut self, id: NodeId) {
        let node = self.node(id);
        if node.links > 0 || node.users > 0 {
            return;
        }
        let size = node.size();
        if let Kind::File(content) = &mut self.node_mut(id).kind {
            *content = Content::Bytes(Vec::new());
            self.written_bytes = self.written_bytes.saturating_sub(size);
        }
    }
}
