//! Memory overcommitment: what scans came to, and what is shared.

use crate::counts::named;
use crate::errors::{Failure, Outcome};
use dcsim_monitor::host::{Compression, Scan, ScanReport, Sharing};
use dcsim_monitor::overcommit::index::Finding;
use dcsim_monitor::overcommit::swap::Tier;
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
    Ok(Scan { first_page, pages, finding: finding(mode)?, most_sharers })
}

/// The way of this name to find pages of the same content.
pub fn finding(mode: &str) -> Outcome<Finding> {
    Finding::from_name(mode)
        .ok_or_else(|| Failure::Usage(format!("there is no way to scan `{mode}`; known: esx, ksm")))
}

/// The tier of this name.
pub fn tier(name: &str) -> Outcome<Tier> {
    Tier::from_name(name).ok_or_else(|| {
        Failure::Usage(format!("there is no tier `{name}`; known: disk, compressed"))
    })
}

/// What is kept compressed, by name.
pub fn compression(py: Python<'_>, compression: Compression) -> PyResult<Bound<'_, PyDict>> {
    let Compression { pages, frames, bytes } = compression;
    named(py, &[("pages", pages), ("frames", frames), ("bytes", bytes)])
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
    named(py, &numbers)
}
