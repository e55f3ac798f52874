//! Memory overcommitment: what scans came to, and what is shared.

use crate::errors::{Failure, Outcome};
use dcsim_monitor::host::{Scan, ScanReport, Sharing};
use dcsim_monitor::overcommit::index::Finding;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What `Machine.scan_pages` came to.
#[derive(Debug)]
#[pyclass(module = "dcsim._core", name = "ScanReport", frozen, get_all)]
pub struct PyScanReport {
    scanned: u64,
    shared: u64,
    zero: u64,
    hints: u64,
    broken_hints: u64,
    next_page: u64,
}

impl From<ScanReport> for PyScanReport {
    fn from(report: ScanReport) -> Self {
        let ScanReport { scanned, shared, zero, hints, broken_hints, next_page } = report;
        Self { scanned, shared, zero, hints, broken_hints, next_page }
    }
}

#[pymethods]
impl PyScanReport {
    fn __repr__(&self) -> String {
        format!("{self:?}")
    }
}

/// The scan that a caller asks for.
pub fn scan(first_page: u64, pages: u64, mode: &str, most_sharers: u64) -> Outcome<Scan> {
    let finding = Finding::from_name(mode).ok_or_else(|| {
        Failure::Usage(format!("there is no way to scan `{mode}`; known: esx, ksm"))
    })?;
    Ok(Scan { first_page, pages, finding, most_sharers })
}

/// What is shared, by name.
pub fn sharing(py: Python<'_>, sharing: Sharing) -> PyResult<Bound<'_, PyDict>> {
    let numbers = [
        ("frames", sharing.frames),
        ("pages", sharing.pages),
        ("zero_pages", sharing.zero_pages),
        ("hints", sharing.hints),
        ("reclaimed", sharing.reclaimed()),
    ];
    let all = PyDict::new(py);
    for (name, number) in numbers {
        all.set_item(name, number)?;
    }
    Ok(all)
}
