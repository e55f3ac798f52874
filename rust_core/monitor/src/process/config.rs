//! What a process-level machine executes.

use dcsim_linux::files::folder::Folder;
use dcsim_linux::{FirstProgram, Limits, Start};
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
    /// What it reads from its input.
    #[serde(default)]
    pub input: String,
}

impl ProgramConfig {
    /// The world of the program as the system-call interface wants it, on a machine with so much memory.
    pub fn start(&self, memory_bytes: u64, seed: u64) -> Result<Start, String> {
        let open = |path: &String| {
            Folder::open(Path::new(path)).map_err(|error| format!("the folder `{path}`: {error}"))
        };
        Ok(Start {
            folder: self.folder.as_ref().map(open).transpose()?,
            writable: self.writable,
            input: self.input.clone().into_bytes(),
            limits: Limits::for_memory(memory_bytes),
            seed,
        })
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
