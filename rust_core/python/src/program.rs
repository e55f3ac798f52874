//! `Program`: what a process-level VM executes, and its streams.

use crate::errors::{Outcome, lock};
use crate::machine::SharedMachine;
use dcsim_linux::files::open::Stream;
use dcsim_monitor::VmId;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;

/// The program of a process-level VM.
#[derive(Debug)]
#[pyclass(module = "dcsim._core", name = "Program", frozen)]
pub struct PyProgram {
    pub(crate) machine: SharedMachine,
    pub(crate) vm: VmId,
}

#[pymethods]
impl PyProgram {
    fn output<'py>(&self, py: Python<'py>) -> Outcome<Vec<(bool, Bound<'py, PyBytes>)>> {
        let told = lock(&self.machine)?.process(self.vm)?.take_output();
        let bytes = |(stream, bytes): (Stream, Vec<u8>)| {
            (stream == Stream::Error, PyBytes::new(py, &bytes))
        };
        Ok(told.into_iter().map(bytes).collect())
    }

    fn give_input(&self, data: &[u8], ends: bool) -> Outcome<()> {
        lock(&self.machine)?.process(self.vm)?.give_input(data, ends);
        Ok(())
    }

    #[getter]
    fn wants_input(&self) -> Outcome<bool> {
        Ok(lock(&self.machine)?.process(self.vm)?.linux().wants_input())
    }

    #[getter]
    fn start_error(&self) -> Outcome<Option<u16>> {
        let error = lock(&self.machine)?.process(self.vm)?.linux().start_error();
        Ok(error.map(|errno| errno as u16))
    }

    #[getter]
    fn calls(&self) -> Outcome<BTreeMap<&'static str, u64>> {
        Ok(lock(&self.machine)?.process(self.vm)?.linux().calls().clone())
    }

    #[getter]
    fn unknown_calls(&self) -> Outcome<BTreeMap<u64, u64>> {
        Ok(lock(&self.machine)?.process(self.vm)?.linux().unknown_calls().clone())
    }
}
