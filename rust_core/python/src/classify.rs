//! The classification of an instruction set.

use crate::enter::enter_core;
use crate::errors::{Failure, Outcome};
use dcsim_hart::{Interpreter, IsaProfile};
use dcsim_monitor::classify::{Classifier, Request};
use pyo3::prelude::*;

/// The names of the instruction sets.
#[pyfunction]
pub fn isa_names() -> Vec<&'static str> {
    IsaProfile::ALL.map(IsaProfile::name).to_vec()
}

/// Classifies every instruction by executing it; the result is JSON.
#[pyfunction]
pub fn classify(py: Python<'_>, isa: &str, seed: u64, states: u32) -> Outcome<String> {
    let isa = IsaProfile::from_name(isa)
        .ok_or_else(|| Failure::Usage(format!("no instruction set is called `{isa}`")))?;
    let mut classifier = Classifier::new(Request { isa, seed, states }, Interpreter::new())?;
    enter_core(py, || Ok((!classifier.advance()?).then_some(())))?;
    Ok(serde_json::to_string(&classifier.finish())?)
}
