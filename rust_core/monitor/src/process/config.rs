//! What a process-level machine executes.

use dcsim_linux::files::folder::Folder;
use dcsim_linux::{FirstProgram, Limits, Linux, Start};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A program and what it finds.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramConfig {
    /// The folder of the simulating machine that is its file tree; an empty one without.
    #[serde(default)]
    pub folder: Option<String>,
    /// Whether it may write files; what it writes is gone when it ends.
    #[serde(default)]
    pub writable: bool,
    /// The program's path in the tree.
    pub program: String,
    /// Its arguments, its name among them as the first.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// `NAME=value`.
    #[serde(default)]
    pub environment: Vec<String>,
    /// The directory of the tree that it begins in.
    #[serde(default = "top")]
    pub directory: String,
    /// What it reads from its input.
    #[serde(default)]
    pub input: String,
    /// Whether more may come while it executes.
    #[serde(default)]
    pub input_open: bool,
}

fn top() -> String {
    "/".to_owned()
}

impl ProgramConfig {
    /// The world of the program, on a machine with so much memory.
    pub fn linux(&self, memory_bytes: u64, seed: u64) -> Result<Linux, String> {
        let open = |path: &String| {
            Folder::open(Path::new(path)).map_err(|error| format!("the folder `{path}`: {error}"))
        };
        let start = Start {
            folder: self.folder.as_ref().map(open).transpose()?,
            writable: self.writable,
            directory: self.directory.clone().into_bytes(),
            input: self.input.clone().into_bytes(),
            input_open: self.input_open,
            limits: Limits::for_memory(memory_bytes),
            seed,
        };
        Linux::new(start).map_err(|errno| format!("the directory `{}`: {errno}", self.directory))
    }

    /// The program itself.
    pub fn first_program(&self) -> FirstProgram {
        let bytes = |texts: &[String]| texts.iter().map(|text| text.clone().into_bytes()).collect();
        FirstProgram {
            path: self.program.clone().into_bytes(),
            arguments: bytes(&self.arguments),
            environment: bytes(&self.environment),
        }
    }
}
