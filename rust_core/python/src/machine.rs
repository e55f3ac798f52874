//! `Machine`: one host's machine world.

use crate::counts;
use crate::disk::PyDiskImage;
use crate::enter::enter_core;
use crate::errors::{Failure, Outcome, lock};
use crate::exit::PyExit;
use crate::overcommit::{self, PyScanReport};
use crate::program::PyProgram;
use crate::state::PyVmState;
use crate::store::{PyPageStore, SharedStore};
use dcsim_machine::{DiskImage, IoStatus, Primitive, RequestTag};
use dcsim_memory::PageStore;
use dcsim_monitor::process::ProcessMachine;
use dcsim_monitor::{
    Exit, ExitKind, ExitReason, HardwareProfile, Host, HostError, VcpuId, VmConfig, VmId,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Simulated time between two looks at signals: a fraction of a second of real time.
const SLICE_NS: u64 = 50_000_000;

/// A machine that its disks refer to.
pub type SharedMachine = Arc<Mutex<Inner>>;

/// A host and the store that its pages lie in.
#[derive(Debug)]
pub struct Inner {
    host: Host,
    store: SharedStore,
    /// The disk objects of VMs.
    disks: BTreeMap<VmId, Py<PyDiskImage>>,
}

impl Inner {
    /// The process-level machine that a VM is.
    pub(crate) fn process(&mut self, vm: VmId) -> Outcome<&mut ProcessMachine> {
        Ok(self.host.process(vm)?)
    }

    /// Calls the host with its store.
    fn with_store<T>(
        &mut self,
        call: impl FnOnce(&mut Host, &mut PageStore) -> Result<T, HostError>,
    ) -> Outcome<T> {
        let mut store = lock(&self.store)?;
        Ok(call(&mut self.host, &mut store)?)
    }

    /// The content of a VM's disk.
    pub(crate) fn disk(&self, vm: VmId) -> Outcome<DiskImage> {
        let disk = self.host.board(vm)?.disk().cloned();
        disk.ok_or_else(|| Failure::Usage(format!("{vm} has no disk")))
    }

    /// Runs a slice of the way to `until_ns`. `None`: there is more to run.
    fn run_slice(&mut self, until_ns: u64) -> Outcome<Option<Exit>> {
        let slice_end = match self.least_time_ns()? {
            Some(least) => until_ns.min(least.saturating_add(SLICE_NS)),
            None => until_ns,
        };
        let exit = self.with_store(|host, store| host.run(store, slice_end))?;
        let goes_on = exit.kind == ExitKind::Until && slice_end < until_ns;
        Ok((!goes_on).then_some(exit))
    }

    /// The clock of the pCPU that is furthest behind, of those that hold a vCPU.
    fn least_time_ns(&self) -> Outcome<Option<u64>> {
        let mut least: Option<u64> = None;
        for pcpu in 0..self.host.pcpu_count() {
            if self.host.loaded(pcpu)?.is_some() {
                let time = self.host.local_time_ns(pcpu)?;
                least = Some(least.map_or(time, |known| known.min(time)));
            }
        }
        Ok(least)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Ok(mut store) = self.store.lock() {
            self.host.release(&mut store);
        }
    }
}

/// One host's machine world: pCPUs, frames and the VMs on them.
#[derive(Debug)]
#[pyclass(module = "dcsim._core", name = "Machine", frozen)]
pub struct PyMachine {
    inner: SharedMachine,
}

impl PyMachine {
    fn with<T>(
        &self,
        call: impl FnOnce(&mut Host, &mut PageStore) -> Result<T, HostError>,
    ) -> Outcome<T> {
        lock(&self.inner)?.with_store(call)
    }

    fn adopt_disk(&self, vm: VmId, disk: Option<Py<PyDiskImage>>) -> Outcome<()> {
        if let Some(disk) = disk {
            disk.get().attach(&self.inner, vm)?;
            lock(&self.inner)?.disks.insert(vm, disk);
        }
        Ok(())
    }
}

fn content(disk: Option<&Py<PyDiskImage>>) -> Outcome<Option<DiskImage>> {
    disk.map(|disk| disk.get().content()).transpose()
}

fn primitives(steps: &[(String, u64)]) -> Outcome<Vec<(Primitive, u64)>> {
    let primitive = |(name, count): &(String, u64)| {
        Primitive::from_name(name).map(|primitive| (primitive, *count)).ok_or_else(|| {
            let known: Vec<_> = Primitive::ALL.iter().map(|(_, name)| *name).collect();
            Failure::Usage(format!("there is no primitive `{name}`; known: {}", known.join(", ")))
        })
    };
    steps.iter().map(primitive).collect()
}

#[pymethods]
impl PyMachine {
    #[new]
    #[pyo3(signature = (store, *, hardware, pcpus, memory_bytes))]
    fn new(store: &PyPageStore, hardware: &str, pcpus: usize, memory_bytes: u64) -> Outcome<Self> {
        let profile = HardwareProfile::from_json(hardware)?;
        let host = Host::new(profile, pcpus, memory_bytes)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let inner = Inner { host, store: Arc::clone(&store.store), disks: BTreeMap::new() };
        Ok(Self { inner: Arc::new(Mutex::new(inner)) })
    }

    #[getter]
    fn pcpus(&self) -> Outcome<usize> {
        Ok(lock(&self.inner)?.host.pcpu_count())
    }

    #[getter]
    fn frames(&self) -> Outcome<u64> {
        Ok(lock(&self.inner)?.host.frame_count())
    }

    #[getter]
    fn free_frames(&self) -> Outcome<u64> {
        Ok(lock(&self.inner)?.host.free_frame_count())
    }

    #[pyo3(signature = (config, kernel, disk = None))]
    fn create_vm(
        &self,
        config: &str,
        kernel: &[u8],
        disk: Option<Py<PyDiskImage>>,
    ) -> Outcome<u32> {
        let config = VmConfig::from_json(config)?;
        let content = content(disk.as_ref())?;
        let vm = self.with(|host, store| host.create_vm(store, config, kernel, content))?;
        self.adopt_disk(vm, disk)?;
        Ok(vm.0)
    }

    fn destroy_vm(&self, vm: u32) -> Outcome<()> {
        let vm = VmId(vm);
        let mut inner = lock(&self.inner)?;
        let disk = inner.disk(vm).ok();
        inner.with_store(|host, store| host.destroy_vm(store, vm))?;
        match (inner.disks.remove(&vm), disk) {
            (Some(object), Some(content)) => object.get().detach(&self.inner, vm, content),
            _ => Ok(()),
        }
    }

    fn load(&self, pcpu: usize, vm: u32, vcpu: usize, at_ns: u64) -> Outcome<()> {
        self.with(|host, store| host.load(store, pcpu, (VmId(vm), vcpu), at_ns))
    }

    fn unload(&self, pcpu: usize) -> Outcome<()> {
        self.with(|host, store| host.unload(store, pcpu)).map(|_| ())
    }

    fn tell_stolen_time(&self, vm: u32, vcpu: usize, nanoseconds: u64) -> Outcome<()> {
        self.with(|host, _| host.tell_stolen_time((VmId(vm), vcpu), nanoseconds))
    }

    fn loaded(&self, pcpu: usize) -> Outcome<Option<(u32, usize)>> {
        Ok(lock(&self.inner)?.host.loaded(pcpu)?.map(|id| (id.vm.0, id.vcpu)))
    }

    fn run(&self, py: Python<'_>, until_ns: u64) -> Outcome<PyExit> {
        enter_core(py, || lock(&self.inner)?.run_slice(until_ns)).map(PyExit::from)
    }

    #[allow(clippy::needless_pass_by_value, reason = "the binding makes the list")]
    fn host_path(&self, pcpu: usize, name: &str, steps: Vec<(String, u64)>) -> Outcome<u64> {
        let steps = primitives(&steps)?;
        self.with(|host, store| host.host_path(store, pcpu, name, &steps))
    }

    fn let_pass(&self, pcpu: usize, at_ns: u64) -> Outcome<u64> {
        Ok(lock(&self.inner)?.host.let_pass(pcpu, at_ns)?)
    }

    #[allow(clippy::needless_pass_by_value, reason = "the binding makes the list")]
    fn set_exit_path(&self, reason: &str, steps: Vec<(String, u64)>) -> Outcome<()> {
        let steps = primitives(&steps)?;
        let reason = ExitReason::from_name(reason).ok_or_else(|| {
            let known = ExitReason::ALL.map(ExitReason::name).join(", ");
            Failure::Usage(format!("there is no reason `{reason}` to exit; known: {known}"))
        })?;
        lock(&self.inner)?.host.set_exit_path(reason, steps);
        Ok(())
    }

    #[staticmethod]
    fn exit_reasons() -> Vec<&'static str> {
        ExitReason::ALL.into_iter().map(ExitReason::name).collect()
    }

    fn primitive_cycles(&self) -> Outcome<BTreeMap<&'static str, u64>> {
        let inner = lock(&self.inner)?;
        let cycles = |(primitive, name)| (name, inner.host.primitive_cycles(primitive));
        Ok(Primitive::ALL.into_iter().map(cycles).collect())
    }

    fn local_time_ns(&self, pcpu: usize) -> Outcome<u64> {
        Ok(lock(&self.inner)?.host.local_time_ns(pcpu)?)
    }

    #[pyo3(signature = (vm, tag, at_ns, status = 0))]
    fn complete_io(&self, vm: u32, tag: u64, at_ns: u64, status: u32) -> Outcome<()> {
        let status = if status == 0 { IoStatus::Done } else { IoStatus::Failed };
        self.with(|host, store| host.complete_io(store, VmId(vm), RequestTag(tag), at_ns, status))
    }

    fn deliver_packet(&self, vm: u32, payload: &[u8], at_ns: u64) -> Outcome<bool> {
        self.with(|host, store| host.deliver_packet(store, VmId(vm), payload, at_ns))
    }

    fn in_flight(&self, vm: u32) -> Outcome<usize> {
        Ok(lock(&self.inner)?.host.in_flight(VmId(vm))?)
    }

    fn settled(&self, vm: u32, vcpu: usize) -> Outcome<bool> {
        Ok(lock(&self.inner)?.host.settled((VmId(vm), vcpu))?)
    }

    fn console_output<'py>(&self, py: Python<'py>, vm: u32) -> Outcome<Bound<'py, PyBytes>> {
        let output = lock(&self.inner)?.host.console_output(VmId(vm))?;
        Ok(PyBytes::new(py, &output))
    }

    fn console_input(&self, vm: u32, data: &[u8]) -> Outcome<()> {
        self.with(|host, store| host.console_input(store, VmId(vm), data)).map(|_| ())
    }

    fn program(&self, vm: u32) -> Outcome<PyProgram> {
        let vm = VmId(vm);
        lock(&self.inner)?.host.process(vm)?;
        Ok(PyProgram { machine: Arc::clone(&self.inner), vm })
    }

    fn next_timer_ns(&self, vm: u32, vcpu: usize) -> Outcome<Option<u64>> {
        Ok(lock(&self.inner)?.host.next_timer_ns((VmId(vm), vcpu))?)
    }

    #[pyo3(signature = (vm, vcpu, at_ns = None))]
    fn runnable(&self, vm: u32, vcpu: usize, at_ns: Option<u64>) -> Outcome<bool> {
        Ok(lock(&self.inner)?.host.runnable((VmId(vm), vcpu), at_ns)?)
    }

    fn counters<'py>(&self, py: Python<'py>, vm: u32) -> PyResult<Bound<'py, PyDict>> {
        let mut inner = lock(&self.inner)?;
        let all = counts::counters(py, &inner.host, VmId(vm))?;
        if let Ok(process) = inner.host.process(VmId(vm)) {
            counts::emulated(&all, process)?;
        }
        Ok(all)
    }

    fn vcpu_counters<'py>(
        &self,
        py: Python<'py>,
        vm: u32,
        vcpu: usize,
    ) -> PyResult<Bound<'py, PyDict>> {
        let id = VcpuId::from((VmId(vm), vcpu));
        let inner = lock(&self.inner)?;
        let counters = inner.host.vcpu_counters(id).map_err(Failure::from)?;
        let ledger = inner.host.vcpu_ledger(id).map_err(Failure::from)?;
        counts::counted(py, counters, ledger)
    }

    fn set_balloon_target(&self, vm: u32, pages: u64) -> Outcome<()> {
        self.with(|host, store| host.set_balloon_target(store, VmId(vm), pages))
    }

    fn ask_balloon_statistics(&self, vm: u32) -> Outcome<bool> {
        self.with(|host, store| host.ask_balloon_statistics(store, VmId(vm)))
    }

    fn balloon<'py>(&self, py: Python<'py>, vm: u32) -> PyResult<Option<Bound<'py, PyDict>>> {
        let inner = lock(&self.inner)?;
        let balloon = inner.host.balloon(VmId(vm)).map_err(Failure::from)?;
        balloon.map(|balloon| counts::balloon(py, &balloon)).transpose()
    }

    fn resume_devices(&self) -> Outcome<()> {
        self.with(Host::resume_devices)
    }

    fn devices_wait(&self, vm: u32) -> Outcome<bool> {
        Ok(lock(&self.inner)?.host.devices_wait(VmId(vm))?)
    }

    fn take_dirty_pages(&self, vm: u32) -> Outcome<usize> {
        Ok(lock(&self.inner)?.host.take_dirty_pages(VmId(vm))?.len())
    }

    #[pyo3(signature = (pcpu, vm, first_page, count, mode = "esx", max_page_sharing = u64::MAX))]
    fn scan_pages(
        &self,
        pcpu: usize,
        vm: u32,
        first_page: u64,
        count: u64,
        mode: &str,
        max_page_sharing: u64,
    ) -> Outcome<PyScanReport> {
        let scan = overcommit::scan(first_page, count, mode, max_page_sharing)?;
        let report = self.with(|host, store| host.scan_pages(store, pcpu, VmId(vm), &scan))?;
        Ok(PyScanReport::from(report))
    }

    fn page_state(&self, vm: u32, page: u64) -> Outcome<&'static str> {
        self.with(|host, store| host.page_state(store, VmId(vm), page))
    }

    fn resident_pages(&self, vm: u32) -> Outcome<u64> {
        self.with(|host, store| host.resident_pages(store, VmId(vm)))
    }

    fn resident_page(&self, vm: u32, n: u64) -> Outcome<u64> {
        self.with(|host, store| host.resident_page(store, VmId(vm), n))
    }

    #[pyo3(signature = (pcpu, vm, page, share_first = true, tier = "disk", mode = "esx"))]
    fn swap_out(
        &self,
        pcpu: usize,
        vm: u32,
        page: u64,
        share_first: bool,
        tier: &str,
        mode: &str,
    ) -> Outcome<&'static str> {
        let tier = overcommit::tier(tier)?;
        let shares_first = overcommit::finding(mode)?;
        let shares_first = share_first.then_some(shares_first);
        let page = (VmId(vm), page);
        let out = self.with(|host, store| host.swap_out(store, pcpu, page, tier, shares_first))?;
        Ok(out.name())
    }

    #[pyo3(signature = (vm, page, pcpu = None))]
    fn swap_in(&self, vm: u32, page: u64, pcpu: Option<usize>) -> Outcome<bool> {
        self.with(|host, store| host.swap_in(store, VmId(vm), page, pcpu))
    }

    fn swapped_pages(&self, vm: u32) -> Outcome<u64> {
        Ok(lock(&self.inner)?.host.swapped_pages(VmId(vm))?)
    }

    fn compression<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let compression = self.with(|host, _| Ok(host.compression()))?;
        overcommit::compression(py, compression)
    }

    fn give_back(&self, vm: u32, page: u64) -> Outcome<bool> {
        self.with(|host, store| host.give_back_page(store, VmId(vm), page))
    }

    fn set_frame_watermark(&self, frames: u64) -> Outcome<()> {
        lock(&self.inner)?.host.set_frame_watermark(frames);
        Ok(())
    }

    fn set_frame_reserve(&self, frames: u64) -> Outcome<()> {
        lock(&self.inner)?.host.set_frame_reserve(frames);
        Ok(())
    }

    #[pyo3(signature = (vm, pages, pcpu = None))]
    #[allow(clippy::needless_pass_by_value, reason = "the binding makes the list")]
    fn sample_pages(&self, vm: u32, pages: Vec<u64>, pcpu: Option<usize>) -> Outcome<()> {
        self.with(|host, store| host.sample_pages(store, VmId(vm), &pages, pcpu))
    }

    fn touched_samples(&self, vm: u32) -> Outcome<u64> {
        Ok(lock(&self.inner)?.host.touched_samples(VmId(vm))?)
    }

    fn clear_accessed(&self, vm: u32) -> Outcome<()> {
        self.with(|host, store| host.clear_accessed(store, VmId(vm)))
    }

    fn accessed_pages(&self, vm: u32) -> Outcome<u64> {
        self.with(|host, store| host.accessed_pages(store, VmId(vm)))
    }

    fn end_scan_pass(&self) -> Outcome<()> {
        lock(&self.inner)?.host.end_scan_pass();
        Ok(())
    }

    fn sharing<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let sharing = self.with(|host, store| Ok(host.sharing(store)))?;
        overcommit::sharing(py, sharing)
    }

    fn count_identical_frames(&self) -> Outcome<(u64, u64)> {
        self.with(|host, store| Ok(host.count_identical_pages(store)))
    }

    fn save_vm(&self, vm: u32) -> Outcome<PyVmState> {
        let mut inner = lock(&self.inner)?;
        let state = inner.with_store(|host, store| host.save_vm(store, VmId(vm)))?;
        Ok(PyVmState::new(state, &inner.store))
    }

    #[pyo3(signature = (config, state, disk = None))]
    fn restore_vm(
        &self,
        config: &str,
        state: &PyVmState,
        disk: Option<Py<PyDiskImage>>,
    ) -> Outcome<u32> {
        let config = VmConfig::from_json(config)?;
        let content = content(disk.as_ref())?;
        if !Arc::ptr_eq(&state.store, &lock(&self.inner)?.store) {
            let message = "the state's pages lie in another page store than the machine's";
            return Err(Failure::Usage(message.to_owned()));
        }
        let saved = lock(&state.state)?;
        let vm = self.with(|host, store| host.restore_vm(store, config, &saved, content))?;
        self.adopt_disk(vm, disk)?;
        Ok(vm.0)
    }

    fn count_frames<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let census = self.with(Host::count_frames)?;
        counts::census(py, census)
    }

    fn lose_frame(&self, vm: u32) -> Outcome<()> {
        lock(&self.inner)?.host.lose_frame(VmId(vm));
        Ok(())
    }

    fn withhold_steal_time(&self, vm: u32) -> Outcome<()> {
        lock(&self.inner)?.host.withhold_steal_time(VmId(vm));
        Ok(())
    }

    fn fail_frame_allocations(&self, every: u64) -> Outcome<()> {
        lock(&self.inner)?.host.fail_frame_allocations(every);
        Ok(())
    }
}
