//! `DiskImage`: the content of a disk, wherever it is.
//!
//! While a VM uses a disk, its content lies with the VM's devices, and the object asks there. When
//! the VM is destroyed the content comes back into the object.

use crate::errors::{Failure, Outcome, lock};
use crate::machine::{Inner, SharedMachine};
use dcsim_machine::DiskImage;
use dcsim_monitor::VmId;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::{Arc, Mutex, Weak};

/// Where the content of a disk is.
#[derive(Debug)]
enum Place {
    /// In the object itself.
    Here(DiskImage),
    /// With the devices of a VM.
    Attached(Weak<Mutex<Inner>>, VmId),
}

/// The content of a disk: sparse, copied on first write, cheap to clone.
#[derive(Debug)]
#[pyclass(module = "dcsim._core", name = "DiskImage", frozen)]
pub struct PyDiskImage {
    place: Mutex<Place>,
    size_bytes: u64,
}

impl PyDiskImage {
    fn holding(disk: DiskImage) -> Self {
        Self { size_bytes: disk.size_bytes(), place: Mutex::new(Place::Here(disk)) }
    }

    /// The content now.
    pub(crate) fn content(&self) -> Outcome<DiskImage> {
        let attached = match &*lock(&self.place)? {
            Place::Here(disk) => return Ok(disk.clone()),
            Place::Attached(machine, vm) => (machine.upgrade(), *vm),
        };
        let (Some(machine), vm) = attached else {
            return Err(Failure::Usage("the machine that used this disk is gone".to_owned()));
        };
        lock(&machine)?.disk(vm)
    }

    /// From now on the content is with the devices of a VM.
    pub(crate) fn attach(&self, machine: &SharedMachine, vm: VmId) -> Outcome<()> {
        *lock(&self.place)? = Place::Attached(Arc::downgrade(machine), vm);
        Ok(())
    }

    /// Takes the content back from a VM, unless another one uses the disk by now.
    pub(crate) fn detach(&self, machine: &SharedMachine, vm: VmId, disk: DiskImage) -> Outcome<()> {
        let mut place = lock(&self.place)?;
        if let Place::Attached(user, number) = &*place
            && *number == vm
            && user.ptr_eq(&Arc::downgrade(machine))
        {
            *place = Place::Here(disk);
        }
        Ok(())
    }
}

#[pymethods]
impl PyDiskImage {
    #[new]
    #[pyo3(signature = (size_bytes, content = None))]
    fn new(size_bytes: u64, content: Option<&[u8]>) -> Outcome<Self> {
        Ok(Self::holding(DiskImage::with_content(size_bytes, content.unwrap_or_default())?))
    }

    #[getter]
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    #[getter]
    fn allocated_bytes(&self) -> Outcome<u64> {
        Ok(self.content()?.allocated_bytes())
    }

    fn clone(&self) -> Outcome<Self> {
        self.content().map(Self::holding)
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: u64,
        length: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let content = self.content()?;
        let past_end = offset.checked_add(length).is_none_or(|end| end > self.size_bytes);
        if past_end {
            let message = format!(
                "{length} bytes at {offset} pass the end of a disk of {} bytes",
                self.size_bytes
            );
            return Err(Failure::Usage(message).into());
        }
        PyBytes::new_with(py, length as usize, |buffer| {
            content.read(offset, buffer).map_err(|error| Failure::from(error).into())
        })
    }

    fn write(&self, offset: u64, content: &[u8]) -> Outcome<()> {
        match &mut *lock(&self.place)? {
            Place::Here(disk) => Ok(disk.write(offset, content)?),
            Place::Attached(..) => {
                Err(Failure::Usage("a VM uses this disk: write before it does".to_owned()))
            }
        }
    }

    fn digest(&self) -> Outcome<String> {
        let content = self.content()?;
        let mut hasher = Sha256::new();
        hasher.update(content.size_bytes().to_le_bytes());
        for (number, block) in content.blocks().filter(|(_, block)| is_content(&block[..])) {
            hasher.update(number.to_le_bytes());
            hasher.update(&block[..]);
        }
        Ok(hexadecimal(&hasher.finalize()))
    }
}

fn is_content(block: &[u8]) -> bool {
    block.iter().any(|byte| *byte != 0)
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
