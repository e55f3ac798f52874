//! `PageStore`: the pages behind all memory of a simulation.

use crate::errors::{Outcome, lock};
use dcsim_memory::PageStore;
use pyo3::prelude::*;
use std::sync::{Arc, Mutex};

/// A page store that machines and saved states share.
pub type SharedStore = Arc<Mutex<PageStore>>;

/// The pages behind the memory of hosts, saved states and clones.
#[derive(Debug)]
#[pyclass(module = "dcsim._core", name = "PageStore", frozen)]
pub struct PyPageStore {
    pub(crate) store: SharedStore,
}

#[pymethods]
impl PyPageStore {
    #[new]
    fn new(limit_bytes: u64) -> Self {
        Self { store: Arc::new(Mutex::new(PageStore::new(limit_bytes))) }
    }

    #[getter]
    fn used_bytes(&self) -> Outcome<u64> {
        Ok(lock(&self.store)?.used_bytes())
    }

    #[getter]
    fn limit_bytes(&self) -> Outcome<u64> {
        Ok(lock(&self.store)?.limit_bytes())
    }
}
