//! `Exit`: why a run of a machine returned.

use dcsim_monitor::{Exit, ExitKind, IoOperation};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Why `Machine.run` returned.
#[derive(Debug)]
#[pyclass(module = "dcsim._core", name = "Exit", frozen)]
pub struct PyExit {
    exit: Exit,
}

impl From<Exit> for PyExit {
    fn from(exit: Exit) -> Self {
        Self { exit }
    }
}

#[pymethods]
impl PyExit {
    #[getter]
    fn kind(&self) -> &'static str {
        self.exit.kind.name()
    }

    #[getter]
    fn pcpu(&self) -> Option<usize> {
        self.exit.pcpu
    }

    #[getter]
    fn vm(&self) -> Option<u32> {
        self.exit.vm.map(|vm| vm.0)
    }

    #[getter]
    fn vcpu(&self) -> Option<usize> {
        self.exit.vcpu
    }

    #[getter]
    fn time_ns(&self) -> u64 {
        self.exit.time_ns
    }

    #[getter]
    fn tag(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::Io { tag, .. } => Some(tag.0),
            _ => None,
        }
    }

    #[getter]
    fn operation(&self) -> Option<&'static str> {
        match &self.exit.kind {
            ExitKind::Io { operation, .. } => Some(operation.name()),
            _ => None,
        }
    }

    #[getter]
    fn write(&self) -> Option<bool> {
        match &self.exit.kind {
            ExitKind::Io { operation, .. } => Some(*operation == IoOperation::Write),
            _ => None,
        }
    }

    #[getter]
    fn sector(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::Io { sector, .. } => Some(*sector),
            _ => None,
        }
    }

    #[getter]
    fn bytes(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::Io { bytes, .. } => Some(*bytes),
            _ => None,
        }
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.exit.kind {
            ExitKind::Packet { payload } => Some(PyBytes::new(py, payload)),
            _ => None,
        }
    }

    #[getter]
    fn wake_ns(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::Wait { wake_ns } => *wake_ns,
            _ => None,
        }
    }

    #[getter]
    fn holder(&self) -> Option<usize> {
        match &self.exit.kind {
            ExitKind::Spin { holder } => *holder,
            _ => None,
        }
    }

    #[getter]
    fn page(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::SwapIn { page } => Some(*page),
            _ => None,
        }
    }

    #[getter]
    fn inflated(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::Balloon { inflated, .. } => Some(*inflated),
            _ => None,
        }
    }

    #[getter]
    fn deflated(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::Balloon { deflated, .. } => Some(*deflated),
            _ => None,
        }
    }

    #[getter]
    fn reported(&self) -> Option<u64> {
        match &self.exit.kind {
            ExitKind::Balloon { reported, .. } => Some(*reported),
            _ => None,
        }
    }

    #[getter]
    fn code(&self) -> Option<u32> {
        match &self.exit.kind {
            ExitKind::Shutdown { code } => Some(*code),
            _ => None,
        }
    }

    #[getter]
    fn message(&self) -> Option<&str> {
        match &self.exit.kind {
            ExitKind::Fault { message } => Some(message),
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        format!("Exit({:?})", self.exit)
    }
}
