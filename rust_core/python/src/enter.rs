//! The one way into long work: detached from the interpreter, and ended by Ctrl-C.

use crate::errors::{Failure, Outcome};
use pyo3::prelude::*;

/// Calls `slice` until it returns something, each time detached from the interpreter; between two
/// calls, signal handlers run and can end the work with their exception.
pub fn enter_core<T: Send>(
    py: Python<'_>,
    mut slice: impl FnMut() -> Outcome<Option<T>> + Send,
) -> Outcome<T> {
    loop {
        if let Some(value) = py.detach(&mut slice)? {
            return Ok(value);
        }
        py.check_signals().map_err(Failure::Python)?;
    }
}
