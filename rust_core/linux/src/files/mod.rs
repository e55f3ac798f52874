//! Files: a tree of names over a folder of the simulating machine, and what programs have open.
//!
//! * [`folder`]: the folder, which is only ever read;
//! * [`node`]: files, directories, links, devices;
//! * [`tree`]: finding nodes by path, making and removing them;
//! * [`content`]: reading and writing what files hold;
//! * [`open`]: open files, with their positions; [`pipe`]: pipes; [`descriptors`]: their numbers.

pub mod content;
pub mod descriptors;
pub mod folder;
pub mod node;
pub mod open;
pub mod pipe;
pub mod tree;

/// A file, directory, link or device, whatever its names are.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub u32);
