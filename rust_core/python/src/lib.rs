//! The `PyO3` binding: `dcsim._core`, the seam between the machine world and the model world.
//!
//! Everything here is thin: arguments come in, one call goes down, an answer comes out. The
//! classes are frozen with a lock inside, so they may be shared between threads; `_core.pyi`
//! documents them for users.
//!
//! Locks are taken in one order: a machine, then the page store.

mod assumed;
mod classify;
mod counts;
mod disk;
mod enter;
mod errors;
mod exit;
mod machine;
mod overcommit;
mod program;
mod state;
mod store;

use pyo3::prelude::*;
use std::collections::BTreeMap;

/// What the extension was built as.
#[pyfunction]
fn build_info() -> BTreeMap<&'static str, &'static str> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    BTreeMap::from([("version", env!("CARGO_PKG_VERSION")), ("profile", profile)])
}

/// The machine world: hosts whose guests execute real RISC-V instructions.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::assumed::assumptions;
    #[pymodule_export]
    use super::build_info;
    #[pymodule_export]
    use super::classify::{classify, isa_names};
    #[pymodule_export]
    use super::disk::PyDiskImage;
    #[pymodule_export]
    use super::exit::PyExit;
    #[pymodule_export]
    use super::machine::PyMachine;
    #[pymodule_export]
    use super::overcommit::PyScanReport;
    #[pymodule_export]
    use super::program::PyProgram;
    #[pymodule_export]
    use super::state::PyVmState;
    #[pymodule_export]
    use super::store::PyPageStore;
}
