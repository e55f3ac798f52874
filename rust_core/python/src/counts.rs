//! What a machine counts, as dictionaries by name.

use crate::errors::Failure;
use dcsim_monitor::host::Census;
use dcsim_monitor::process::ProcessMachine;
use dcsim_monitor::{Balloon, Host, Ledger, VmCounters, VmId};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Numbers by name.
pub fn named<'py>(py: Python<'py>, numbers: &[(&str, u64)]) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (name, number) in numbers {
        all.set_item(name, number)?;
    }
    Ok(all)
}

/// What a host's frames are used for.
pub fn census(py: Python<'_>, census: Census) -> PyResult<Bound<'_, PyDict>> {
    let Census { pages, shared, tables, compressed, free } = census;
    let numbers = [
        ("pages", pages),
        ("shared", shared),
        ("tables", tables),
        ("compressed", compressed),
        ("free", free),
    ];
    named(py, &numbers)
}

/// The names of statistics by their tags (Virtio 1.2, section 5.5.6.4).
const STATISTICS: [&str; 10] = [
    "swap_in_bytes",
    "swap_out_bytes",
    "major_faults",
    "minor_faults",
    "free_bytes",
    "total_bytes",
    "available_bytes",
    "cache_bytes",
    "large_page_allocations",
    "large_page_failures",
];

/// What a balloon has been told and has done.
pub fn balloon<'py>(py: Python<'py>, balloon: &Balloon) -> PyResult<Bound<'py, PyDict>> {
    let all = named(
        py,
        &[
            ("target", balloon.target_pages),
            ("actual", balloon.actual_pages),
            ("inflated", balloon.inflated_pages),
            ("deflated", balloon.deflated_pages),
            ("reported", balloon.reported_pages),
            ("freed", balloon.freed_frames),
            ("refused", balloon.refused_pages),
            ("statistics_updates", balloon.statistics_updates),
        ],
    )?;
    let statistics = PyDict::new(py);
    for (tag, name) in (0..).zip(STATISTICS) {
        if let Some(value) = balloon.statistics.get(&tag) {
            statistics.set_item(name, value)?;
        }
    }
    all.set_item("stats", statistics)?;
    Ok(all)
}

/// What was counted for a VM.
pub fn counters<'py>(py: Python<'py>, host: &Host, vm: VmId) -> PyResult<Bound<'py, PyDict>> {
    let counters = host.counters(vm).map_err(Failure::from)?;
    let ledger = host.ledger(vm).map_err(Failure::from)?;
    let usage = host.frame_usage(vm).map_err(Failure::from)?;
    let all = counted(py, &counters, &ledger)?;
    all.set_item("pages_touched", host.touched_pages(vm).map_err(Failure::from)?)?;
    all.set_item("pages_shared", usage.shared)?;
    all.set_item("shadow_frames", usage.shadow)?;
    all.set_item("monitor_frames", usage.monitor)?;
    Ok(all)
}

/// Adds what was carried out because the processor lacks it, if anything was.
pub fn emulated(all: &Bound<'_, PyDict>, process: &ProcessMachine) -> PyResult<()> {
    let (counts, cycles) = (PyDict::new(all.py()), PyDict::new(all.py()));
    for (name, each) in process.emulated() {
        counts.set_item(name, each.count)?;
        cycles.set_item(name, each.cycles)?;
    }
    if !counts.is_empty() {
        all.set_item("emulated", counts)?;
        all.set_item("emulated_cycles", cycles)?;
    }
    Ok(())
}

/// What was counted for a vCPU, or for all of a VM's.
pub fn counted<'py>(
    py: Python<'py>,
    counters: &VmCounters,
    ledger: &Ledger,
) -> PyResult<Bound<'py, PyDict>> {
    let cycles = PyDict::new(py);
    for (cause, count) in ledger.causes() {
        cycles.set_item(cause, count)?;
    }
    let exits = PyDict::new(py);
    for (reason, count) in counters.exits() {
        exits.set_item(reason.name(), count)?;
    }
    let numbers = [
        ("instructions", counters.instructions()),
        ("instructions_direct", counters.direct_instructions),
        ("instructions_emulated", counters.emulated_instructions),
        ("instructions_translated", counters.translated_instructions),
        ("instructions_hart", counters.hart_instructions()),
        ("total_cycles", ledger.counted()),
        ("walk_references", counters.walk_references),
        ("itlb_misses", counters.itlb_misses),
        ("dtlb_misses", counters.dtlb_misses),
        ("data_cache_misses", counters.data_cache_misses),
        ("data_cache_refills", counters.data_cache_refills),
        ("remote_misses", counters.remote_misses),
        ("data_cache_cycles", counters.data_cache_cycles),
        ("lateness_ns", counters.lateness_ns),
    ];
    let all = named(py, &numbers)?;
    all.set_item("cycles_by_cause", cycles)?;
    all.set_item("exits", exits)?;
    Ok(all)
}
