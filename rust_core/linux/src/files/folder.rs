//! The folder of the simulating machine that a program finds as its file tree.
//!
//! It is only ever read, and only through a handle that does not lead outside ([`cap_std`]).
//! Symbolic links are told, never followed: following them is the tree's work, which ends at its own
//! root. Devices, sockets and pipes are told as such and never opened.

use cap_std::ambient_authority;
use cap_std::fs::{Dir, FileType, MetadataExt, PermissionsExt};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The longest file that is read: programs here are small, and a file is read as a whole.
const LONGEST_FILE_BYTES: u64 = 1 << 28;

/// A folder.
#[derive(Debug)]
pub struct Folder {
    handle: Dir,
}

/// What an entry of a folder is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A file of so many bytes.
    File(u64),
    /// A folder.
    Directory,
    /// A symbolic link to this path.
    Link(Vec<u8>),
    /// A device, a socket, a pipe.
    Special,
}

/// An entry of a folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its name.
    pub name: Vec<u8>,
    /// Where it is, from the folder's root.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Whether it may be executed.
    pub executable: bool,
}

impl Folder {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(|handle| Self { handle })
    }

    /// The entries of a folder below, in the order of their names.
    pub fn entries(&self, path: &Path) -> io::Result<Vec<Found>> {
        let below = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let mut found = Vec::new();
        for entry in self.handle.read_dir(below)? {
            let name = entry?.file_name();
            found.push(self.describe(name.as_bytes().to_vec(), path.join(&name))?);
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn describe(&self, name: Vec<u8>, path: PathBuf) -> io::Result<Found> {
        let metadata = self.handle.symlink_metadata(&path)?;
        let kind = match metadata.file_type() {
            kind if kind.is_symlink() => Kind::Link(self.target(&path)?),
            kind if kind.is_dir() => Kind::Directory,
            kind if FileType::is_file(&kind) => Kind::File(metadata.size()),
            _ => Kind::Special,
        };
        let executable = metadata.permissions().mode() & 0o111 != 0;
        Ok(Found { name, path, kind, executable })
    }

    fn target(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.handle.read_link_contents(path).map(|target| target.as_os_str().as_bytes().to_vec())
    }

    /// Reads a file as a whole.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let read =
            self.handle.open(path)?.take(LONGEST_FILE_BYTES + 1).read_to_end(&mut content)?;
        if read as u64 > LONGEST_FILE_BYTES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(content)
    }
}
