//! The one map from errors of the machine world to exceptions of `dcsim.errors`.

use dcsim_machine::DiskError;
use dcsim_memory::StoreFull;
use dcsim_monitor::classify::ClassifyError;
use dcsim_monitor::{HostError, ProfileError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::{Mutex, MutexGuard};

mod exceptions {
    pyo3::import_exception!(dcsim.errors, GuestImageError);
    pyo3::import_exception!(dcsim.errors, InvariantError);
    pyo3::import_exception!(dcsim.errors, MachineError);
    pyo3::import_exception!(dcsim.errors, StoreFullError);
    pyo3::import_exception!(dcsim.errors, UsageError);
}

use exceptions::{GuestImageError, InvariantError, MachineError, StoreFullError, UsageError};

/// An error on its way to Python.
#[derive(Debug)]
pub enum Failure {
    /// The host refused.
    Host(HostError),
    /// The arguments make no sense.
    Usage(String),
    /// Python's own: a signal handler's exception.
    Python(PyErr),
}

/// What the functions of this crate return.
pub type Outcome<T> = Result<T, Failure>;

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<StoreFull> for Failure {
    fn from(error: StoreFull) -> Self {
        Self::Host(error.into())
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Usage(format!("the configuration is not valid: {error}"))
    }
}

impl From<ClassifyError> for Failure {
    fn from(error: ClassifyError) -> Self {
        Self::Python(InvariantError::new_err(error.to_string()))
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Usage(message) => UsageError::new_err(message),
            Failure::Python(error) => error,
            Failure::Host(error) => host_error(&error),
        }
    }
}

fn host_error(error: &HostError) -> PyErr {
    let message = error.to_string();
    match error {
        HostError::Image(_) => GuestImageError::new_err(message),
        HostError::StoreFull(_) => StoreFullError::new_err(message),
        HostError::Ledger(_)
        | HostError::FrameNotReserved
        | HostError::Swapped { .. }
        | HostError::ForeignFrame(_)
        | HostError::Frames(_)
        | HostError::OutsideMemory(_) => InvariantError::new_err(message),
        HostError::Refused(_)
        | HostError::NoSuchVm(_)
        | HostError::NoSuchVcpu(_)
        | HostError::NoSuchPcpu(_)
        | HostError::State(_)
        | HostError::Memory { .. } => MachineError::new_err(message),
    }
}

/// Locks what a class holds. A lock is poisoned only by a panic, which is a bug; the object is
/// then of no more use.
pub fn lock<T>(mutex: &Mutex<T>) -> Outcome<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| {
        Failure::Python(PyRuntimeError::new_err("an earlier call on this object panicked"))
    })
}
