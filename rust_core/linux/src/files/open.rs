//! Open files: what a descriptor stands for, shared by all descriptors made from it.

use super::NodeId;
use super::pipe::{Pipe, PipeId};
use super::tree::Tree;
use crate::errno::Errno;
use std::collections::{BTreeMap, VecDeque};

/// An open file.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct OpenId(pub u32);

/// Which stream of the console a program writes to.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Stream {
    /// What the program is given.
    Input,
    /// What it tells.
    Output,
    /// What it complains about.
    Error,
}

/// What is open.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Object {
    /// A node of the tree.
    Node(NodeId),
    /// The end of a pipe from which one reads.
    PipeOut(PipeId),
    /// The end into which one writes.
    PipeIn(PipeId),
    /// The console.
    Console(Stream),
}

/// How it was opened.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of open(2)")]
pub struct Mode {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Each write goes to the end.
    pub append: bool,
    /// Nothing waits.
    pub nonblocking: bool,
}

/// An open file.
#[derive(Debug)]
pub struct OpenFile {
    /// What.
    pub object: Object,
    /// How.
    pub mode: Mode,
    /// Where the next read or write begins; of a directory, how many entries were told.
    pub position: u64,
    references: u32,
}

/// All open files and pipes.
#[derive(Debug, Default)]
pub struct OpenFiles {
    files: BTreeMap<OpenId, OpenFile>,
    pipes: BTreeMap<PipeId, Pipe>,
    next_file: u32,
    next_pipe: u32,
    /// What the console has for the program.
    pub input: VecDeque<u8>,
    /// Whether more will come.
    pub input_ends: bool,
    /// Whether the program looked for input without waiting, and found none.
    pub input_was_missed: bool,
    /// What the program wrote to the console, in order.
    pub output: Vec<(Stream, Vec<u8>)>,
}

impl OpenFiles {
    /// Opens something, with one reference.
    pub fn open(&mut self, tree: &mut Tree, object: Object, mode: Mode) -> OpenId {
        match object {
            Object::Node(node) => tree.hold(node),
            Object::PipeOut(pipe) => self.pipes.entry(pipe).or_default().readers += 1,
            Object::PipeIn(pipe) => self.pipes.entry(pipe).or_default().writers += 1,
            Object::Console(_) => {}
        }
        let id = OpenId(self.next_file);
        self.next_file += 1;
        self.files.insert(id, OpenFile { object, mode, position: 0, references: 1 });
        id
    }

    /// A name for a new pipe.
    pub fn create_pipe(&mut self) -> PipeId {
        self.next_pipe += 1;
        PipeId(self.next_pipe)
    }

    /// Adds a reference.
    pub fn retain(&mut self, id: OpenId) {
        if let Some(file) = self.files.get_mut(&id) {
            file.references += 1;
        }
    }

    /// Drops one; the last closes the file.
    pub fn release(&mut self, tree: &mut Tree, id: OpenId) {
        let Some(file) = self.files.get_mut(&id) else { return };
        file.references -= 1;
        if file.references > 0 {
            return;
        }
        let object = file.object;
        self.files.remove(&id);
        match object {
            Object::Node(node) => tree.let_go(node),
            Object::PipeOut(pipe) => self.leave_pipe(pipe, |pipe| pipe.readers -= 1),
            Object::PipeIn(pipe) => self.leave_pipe(pipe, |pipe| pipe.writers -= 1),
            Object::Console(_) => {}
        }
    }

    fn leave_pipe(&mut self, id: PipeId, leave: impl FnOnce(&mut Pipe)) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        leave(pipe);
        if pipe.readers == 0 && pipe.writers == 0 {
            self.pipes.remove(&id);
        }
    }

    /// An open file.
    pub fn get(&self, id: OpenId) -> Result<&OpenFile, Errno> {
        self.files.get(&id).ok_or(Errno::BadFile)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: OpenId) -> Result<&mut OpenFile, Errno> {
        self.files.get_mut(&id).ok_or(Errno::BadFile)
    }

    /// A pipe that somebody has open.
    pub fn pipe(&mut self, id: PipeId) -> &mut Pipe {
        self.pipes.entry(id).or_default()
    }

    /// Whether a read would not wait.
    pub fn is_readable(&self, id: OpenId) -> bool {
        match self.files.get(&id).map(|file| file.object) {
            Some(Object::PipeOut(pipe)) => self.pipes.get(&pipe).is_none_or(Pipe::is_readable),
            Some(Object::Console(Stream::Input)) => !self.input.is_empty() || self.input_ends,
            Some(Object::PipeIn(_)) => false,
            _ => true,
        }
    }

    /// Whether a file is what the console has for the program.
    pub fn is_input(&self, id: OpenId) -> bool {
        self.files.get(&id).is_some_and(|file| file.object == Object::Console(Stream::Input))
    }

    /// Notes that a program looked for something to read without waiting for it.
    pub fn note_miss(&mut self, id: OpenId) {
        self.input_was_missed |= self.is_input(id) && !self.is_readable(id);
    }

    /// Whether a pipe holds something to read.
    pub fn has_content(&self, id: OpenId) -> bool {
        match self.files.get(&id).map(|file| file.object) {
            Some(Object::PipeOut(pipe)) => {
                self.pipes.get(&pipe).is_some_and(|pipe| pipe.filled() > 0)
            }
            _ => false,
        }
    }

    /// Whether a write would not wait.
    pub fn is_writable(&self, id: OpenId) -> bool {
        match self.files.get(&id).map(|file| file.object) {
            Some(Object::PipeIn(pipe)) => self.pipes.get(&pipe).is_none_or(Pipe::is_writable),
            Some(Object::PipeOut(_)) => false,
            _ => true,
        }
    }

    /// Whether the other end of a pipe is closed.
    pub fn is_hung_up(&self, id: OpenId) -> bool {
        match self.files.get(&id).map(|file| file.object) {
            Some(Object::PipeOut(pipe)) => {
                self.pipes.get(&pipe).is_none_or(|pipe| pipe.writers == 0)
            }
            Some(Object::PipeIn(pipe)) => {
                self.pipes.get(&pipe).is_none_or(|pipe| pipe.readers == 0)
            }
            _ => false,
        }
    }

    /// Writes to the console.
    pub fn tell(&mut self, stream: Stream, bytes: &[u8]) {
        match self.output.last_mut() {
            Some((last, text)) if *last == stream => text.extend_from_slice(bytes),
            _ => self.output.push((stream, bytes.to_vec())),
        }
    }
}
