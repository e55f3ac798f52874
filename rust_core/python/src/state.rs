//! `VmState`: a VM at rest.

use crate::disk::hexadecimal;
use crate::errors::{Outcome, lock};
use crate::store::{PyPageStore, SharedStore};
use dcsim_monitor::VmState;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Arc, Mutex};

/// A VM at rest: registers, devices and memory.
///
/// It holds references to pages, which it gives back when it is dropped.
#[derive(Debug)]
#[pyclass(module = "dcsim._core", name = "VmState", frozen)]
pub struct PyVmState {
    /// Only the destructor changes it.
    pub(crate) state: Mutex<VmState>,
    pub(crate) store: SharedStore,
}

impl PyVmState {
    /// A state whose pages lie in `store`.
    pub(crate) fn new(state: VmState, store: &SharedStore) -> Self {
        Self { state: Mutex::new(state), store: Arc::clone(store) }
    }
}

impl Drop for PyVmState {
    fn drop(&mut self) {
        if let (Ok(state), Ok(mut store)) = (self.state.get_mut(), self.store.lock()) {
            state.release(&mut store);
        }
    }
}

#[pymethods]
impl PyVmState {
    #[getter]
    fn memory_bytes(&self) -> Outcome<u64> {
        Ok(lock(&self.state)?.memory_bytes())
    }

    #[getter]
    fn pages(&self) -> Outcome<u64> {
        Ok(lock(&self.state)?.content_pages())
    }

    #[getter]
    fn zero_pages(&self) -> Outcome<u64> {
        Ok(lock(&self.state)?.zero_pages())
    }

    #[getter]
    fn device_bytes(&self) -> Outcome<u64> {
        Ok(lock(&self.state)?.device_bytes())
    }

    #[getter]
    fn transfer_bytes(&self) -> Outcome<u64> {
        Ok(lock(&self.state)?.transfer_bytes())
    }

    fn digest(&self) -> Outcome<String> {
        Ok(hexadecimal(&lock(&self.state)?.digest(&*lock(&self.store)?)))
    }

    fn differences(&self, other: &Self) -> Outcome<Vec<String>> {
        if std::ptr::eq(self, other) {
            return Ok(Vec::new());
        }
        let (here, there) = (lock(&self.state)?, lock(&other.state)?);
        let store = lock(&self.store)?;
        if Arc::ptr_eq(&self.store, &other.store) {
            return Ok(here.differences(&there, &store));
        }
        Ok(here.differences_between(&store, &there, &*lock(&other.store)?))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &lock(&self.state)?.to_bytes(&*lock(&self.store)?)))
    }

    #[staticmethod]
    fn from_bytes(store: &PyPageStore, data: &[u8]) -> Outcome<Self> {
        let state = VmState::from_bytes(&mut *lock(&store.store)?, data)?;
        Ok(Self::new(state, &store.store))
    }
}
