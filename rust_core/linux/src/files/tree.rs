//! The file tree: finding nodes by path, making and removing them.
//!
//! `..` at the root is the root, and an absolute link begins at this root, so no path leads out.
//! The folder's own files are never changed: what a program writes is kept here and is gone with it.

use super::NodeId;
use super::folder::{self, Folder, Found};
use super::node::{Content, Device, Kind, Node};
use crate::errno::Errno;
use std::collections::BTreeMap;

/// The longest name of a directory entry, and of a path.
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 4095;
/// Symbolic links that one path may follow.
const MOST_LINKS: usize = 40;

/// The tree.
#[derive(Debug)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) folder: Option<Folder>,
    writable: bool,
    /// Bytes in files beside what the folder holds.
    pub(super) written_bytes: u64,
    pub(super) limit_bytes: u64,
    /// The file that has no name, if there is one.
    unnamed: Option<NodeId>,
}

/// What a path leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The directory of the last component.
    pub directory: NodeId,
    /// The last component; empty for the root and for `.` and `..`.
    pub name: Vec<u8>,
    /// What it names, if there is anything.
    pub node: Option<NodeId>,
    /// Whether a slash follows it: only a directory will do.
    pub must_be_directory: bool,
}

impl Place {
    /// What is there.
    pub fn existing(&self) -> Result<NodeId, Errno> {
        self.node.ok_or(Errno::NoEntry)
    }
}

/// The root of every tree.
pub const ROOT: NodeId = NodeId(0);

impl Tree {
    /// The tree over a folder, or an empty one. Files may be written if it is `writable`: up to
    /// `limit_bytes`, and never in the folder.
    pub fn new(folder: Option<Folder>, writable: bool, limit_bytes: u64) -> Result<Self, Errno> {
        let mut root = Node::new(Kind::Directory(BTreeMap::new()), 0o755, ROOT, 0);
        root.is_listed = folder.is_none();
        root.origin = folder.is_some().then(Default::default);
        let mut tree = Self {
            nodes: vec![root],
            folder,
            writable,
            written_bytes: 0,
            limit_bytes,
            unnamed: None,
        };
        tree.add_devices()?;
        Ok(tree)
    }

    fn add_devices(&mut self) -> Result<(), Errno> {
        let directory = match self.lookup(ROOT, b"dev")? {
            Some(found) if self.node(found).is_directory() => found,
            Some(_) => return Ok(()),
            None => self.attach(ROOT, b"dev", Kind::Directory(BTreeMap::new()), 0o755, 0),
        };
        for (device, name, _) in Device::ALL {
            self.attach(directory, name.as_bytes(), Kind::Device(device), 0o666, 0);
        }
        Ok(())
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId((self.nodes.len() - 1) as u32)
    }

    /// The file that has no name; made at the first call.
    pub fn unnamed(&mut self, make: impl FnOnce() -> Node) -> NodeId {
        if let Some(known) = self.unnamed {
            return known;
        }
        let id = self.add(make());
        self.unnamed = Some(id);
        id
    }

    /// Takes the entries of the folder over, at the first look into a directory.
    fn list(&mut self, directory: NodeId) -> Result<(), Errno> {
        let node = self.node(directory);
        let (false, Some(origin), Some(folder)) = (node.is_listed, &node.origin, &self.folder)
        else {
            return Ok(());
        };
        let found = folder.entries(origin).map_err(|_| Errno::InputOutput)?;
        self.node_mut(directory).is_listed = true;
        for each in found {
            self.take_over(directory, each);
        }
        Ok(())
    }

    fn take_over(&mut self, directory: NodeId, found: Found) {
        let (kind, mode) = match found.kind {
            folder::Kind::File(size) => {
                (Kind::File(Content::Unread(size)), if found.executable { 0o755 } else { 0o644 })
            }
            folder::Kind::Directory => (Kind::Directory(BTreeMap::new()), 0o755),
            folder::Kind::Link(target) => (Kind::Link(target), 0o777),
            folder::Kind::Special => (Kind::Special, 0o600),
        };
        let is_listed = !matches!(kind, Kind::Directory(_));
        let node = Node::new(kind, mode, directory, 0);
        let id = self.add(Node { origin: Some(found.path), is_listed, ..node });
        self.enter(directory, found.name, id);
    }

    /// Gives a node a name.
    fn enter(&mut self, directory: NodeId, name: Vec<u8>, id: NodeId) {
        let below = self.node(id).is_directory();
        let parent = self.node_mut(directory);
        if let Kind::Directory(entries) = &mut parent.kind {
            entries.insert(name, id);
        }
        parent.links += u32::from(below);
        if below {
            self.node_mut(id).parent = directory;
        }
    }

    fn attach(
        &mut self,
        directory: NodeId,
        name: &[u8],
        kind: Kind,
        mode: u32,
        now_ns: u64,
    ) -> NodeId {
        let id = self.add(Node::new(kind, mode, directory, now_ns));
        self.enter(directory, name.to_vec(), id);
        id
    }

    /// What a name in a directory stands for.
    pub fn lookup(&mut self, directory: NodeId, name: &[u8]) -> Result<Option<NodeId>, Errno> {
        self.list(directory)?;
        match &self.node(directory).kind {
            Kind::Directory(entries) => Ok(entries.get(name).copied()),
            _ => Err(Errno::NotDirectory),
        }
    }

    /// The entries of a directory in the order of their names.
    pub fn entries(&mut self, directory: NodeId) -> Result<Vec<(Vec<u8>, NodeId)>, Errno> {
        self.list(directory)?;
        match &self.node(directory).kind {
            Kind::Directory(entries) => {
                Ok(entries.iter().map(|(n, id)| (n.clone(), *id)).collect())
            }
            _ => Err(Errno::NotDirectory),
        }
    }

    /// Follows a path from a directory; the last component, too, if it is a link and `follow`.
    pub fn find(&mut self, from: NodeId, path: &[u8], follow: bool) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(Errno::NoEntry);
        }
        let mut links = 0;
        self.walk(from, path, follow, &mut links)
    }

    /// The directory at the end of a path, links followed.
    pub fn find_directory(&mut self, from: NodeId, path: &[u8]) -> Result<NodeId, Errno> {
        let found = self.find(from, path, true)?.existing()?;
        if self.node(found).is_directory() { Ok(found) } else { Err(Errno::NotDirectory) }
    }

    fn walk(
        &mut self,
        from: NodeId,
        path: &[u8],
        follow: bool,
        links: &mut usize,
    ) -> Result<Place, Errno> {
        if path.len() > LONGEST_PATH {
            return Err(Errno::NameTooLong);
        }
        let mut at = if path.first() == Some(&b'/') { ROOT } else { from };
        let parts: Vec<_> =
            path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
        let must_be_directory = path.last() == Some(&b'/');
        let mut place =
            Place { directory: at, name: Vec::new(), node: Some(at), must_be_directory };
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            place = self.step(at, part)?;
            place.must_be_directory = last && must_be_directory;
            if let Some(id) = place.node
                && let Kind::Link(target) = &self.node(id).kind
                && (!last || follow || must_be_directory)
            {
                let target = target.clone();
                *links += 1;
                if *links > MOST_LINKS {
                    return Err(Errno::TooManyLinks);
                }
                place = self.walk(at, &target, true, links)?;
                place.must_be_directory |= last && must_be_directory;
            }
            if !last {
                at = place.existing()?;
            }
        }
        match place.node {
            Some(id) if place.must_be_directory && !self.node(id).is_directory() => {
                Err(Errno::NotDirectory)
            }
            _ => Ok(place),
        }
    }

    /// One component.
    fn step(&mut self, directory: NodeId, part: &[u8]) -> Result<Place, Errno> {
        if part.len() > LONGEST_NAME {
            return Err(Errno::NameTooLong);
        }
        if !self.node(directory).is_directory() {
            return Err(Errno::NotDirectory);
        }
        let (name, node) = match part {
            b"." => (Vec::new(), Some(directory)),
            b".." => (Vec::new(), Some(self.node(directory).parent)),
            name => (name.to_vec(), self.lookup(directory, name)?),
        };
        Ok(Place { directory, name, node, must_be_directory: false })
    }

    /// The path of a directory from the root.
    pub fn path_of(&self, directory: NodeId) -> Result<Vec<u8>, Errno> {
        let mut parts = Vec::new();
        let mut at = directory;
        while at != ROOT {
            let parent = self.node(at).parent;
            let Kind::Directory(entries) = &self.node(parent).kind else {
                return Err(Errno::NoEntry);
            };
            let name = entries.iter().find(|(_, id)| **id == at).ok_or(Errno::NoEntry)?.0;
            parts.push(name.clone());
            at = parent;
        }
        parts.reverse();
        Ok([b"/".as_slice(), &parts.join(&b'/')].concat())
    }

    // Changes.

    fn check_writable(&self) -> Result<(), Errno> {
        if self.writable { Ok(()) } else { Err(Errno::ReadOnly) }
    }

    /// Refuses to write to a file of a tree that may not be written.
    pub fn check_change(&self, node: NodeId) -> Result<(), Errno> {
        match self.node(node).kind {
            Kind::Device(_) => Ok(()),
            _ => self.check_writable(),
        }
    }

    /// Makes a node where nothing is.
    pub fn create(
        &mut self,
        place: &Place,
        kind: Kind,
        mode: u32,
        now_ns: u64,
    ) -> Result<NodeId, Errno> {
        if place.node.is_some() {
            return Err(Errno::Exists);
        }
        self.check_writable()?;
        self.check_alive(place.directory)?;
        if place.must_be_directory && !matches!(kind, Kind::Directory(_)) {
            return Err(Errno::IsDirectory);
        }
        // A node takes memory as a page of content does.
        self.charge(0, 4096)?;
        let id = self.attach(place.directory, &place.name, kind, mode, now_ns);
        self.node_mut(place.directory).changed_ns = now_ns;
        Ok(id)
    }

    fn check_alive(&self, directory: NodeId) -> Result<(), Errno> {
        if self.node(directory).links == 0 { Err(Errno::NoEntry) } else { Ok(()) }
    }

    /// Gives a file another name.
    pub fn link(&mut self, id: NodeId, place: &Place) -> Result<(), Errno> {
        if place.node.is_some() {
            return Err(Errno::Exists);
        }
        self.check_writable()?;
        self.check_alive(place.directory)?;
        if self.node(id).is_directory() {
            return Err(Errno::NotPermitted);
        }
        self.node_mut(id).links += 1;
        self.enter(place.directory, place.name.clone(), id);
        Ok(())
    }

    /// Takes a name away from a file.
    pub fn unlink(&mut self, place: &Place) -> Result<(), Errno> {
        let id = place.existing()?;
        self.check_writable()?;
        if self.node(id).is_directory() {
            return Err(Errno::IsDirectory);
        }
        self.leave(place);
        self.node_mut(id).links -= 1;
        self.end_if_unused(id);
        Ok(())
    }

    /// Removes an empty directory.
    pub fn remove_directory(&mut self, place: &Place) -> Result<(), Errno> {
        let id = place.existing()?;
        self.check_writable()?;
        if place.name.is_empty() {
            return Err(Errno::Invalid);
        }
        if !self.entries(id)?.is_empty() {
            return Err(Errno::NotEmpty);
        }
        self.leave(place);
        self.node_mut(id).links = 0;
        Ok(())
    }

    /// Takes the entry of a place out of its directory.
    fn leave(&mut self, place: &Place) {
        let Some(id) = place.node else { return };
        let below = self.node(id).is_directory();
        let directory = self.node_mut(place.directory);
        if let Kind::Directory(entries) = &mut directory.kind {
            entries.remove(&place.name);
        }
        directory.links -= u32::from(below);
    }

    /// Moves a name, in place of what has the new one.
    pub fn rename(&mut self, from: &Place, to: &Place, replace: bool) -> Result<(), Errno> {
        let id = from.existing()?;
        self.check_writable()?;
        self.check_alive(to.directory)?;
        if from.name.is_empty() || to.name.is_empty() || self.is_inside(to.directory, id) {
            return Err(Errno::Invalid);
        }
        if let Some(old) = to.node {
            if old == id {
                return Ok(());
            }
            self.make_way(id, old, to, replace)?;
        }
        self.leave(from);
        self.enter(to.directory, to.name.clone(), id);
        Ok(())
    }

    /// Removes what a rename replaces.
    fn make_way(
        &mut self,
        id: NodeId,
        old: NodeId,
        to: &Place,
        replace: bool,
    ) -> Result<(), Errno> {
        match (self.node(id).is_directory(), self.node(old).is_directory()) {
            _ if !replace => Err(Errno::Exists),
            (true, false) => Err(Errno::NotDirectory),
            (false, true) => Err(Errno::IsDirectory),
            (true, true) => self.remove_directory(to),
            (false, false) => self.unlink(to),
        }
    }

    /// Whether a directory is `outer` or below it.
    fn is_inside(&self, directory: NodeId, outer: NodeId) -> bool {
        let mut at = directory;
        while at != ROOT && at != outer {
            at = self.node(at).parent;
        }
        at == outer
    }

    /// Sets permission bits.
    pub fn set_mode(&mut self, id: NodeId, mode: u32) -> Result<(), Errno> {
        self.check_writable()?;
        self.node_mut(id).mode = mode & 0o7777;
        Ok(())
    }

    /// Somebody refers to a node from now on.
    pub fn hold(&mut self, id: NodeId) {
        self.node_mut(id).users += 1;
    }

    /// Somebody does not any more.
    pub fn let_go(&mut self, id: NodeId) {
        self.node_mut(id).users -= 1;
        self.end_if_unused(id);
    }
}
