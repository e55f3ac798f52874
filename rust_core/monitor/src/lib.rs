//! The virtual-machine monitor: hosts, techniques, shadow paging, exits, and where cycles go.
//!
//! A [`Host`] is a physical machine: pCPUs, frames, and VMs. `Host::run` advances every pCPU that
//! holds a vCPU and returns the first event that its model has to deal with ([`Exit`]). How a
//! guest executes is its technique's affair: [`bare_metal`] is the reference without a monitor,
//! [`trap_and_emulate`] runs the guest kernel in user mode over shadow page tables ([`shadow`]),
//! [`four_rings`] leaves it the supervisor mode and takes the one above, and so does
//! [`paravirtual`], for kernels that know of it.
//! Every cycle of a vCPU has one cause in its [`Ledger`].
//!
//! There are mechanisms here, never policies: which vCPU runs where and when is the caller's.

pub mod allocator;
pub mod assumed;
pub mod bare_metal;
pub mod binary_translation;
pub mod classify;
pub mod config;
pub mod counters;
pub mod cpu_state;
pub mod device_access;
pub mod emulator;
pub mod error;
pub mod exit;
pub mod exit_paths;
pub mod four_rings;
pub mod guest_firmware;
pub mod guest_pages;
pub mod hardware_assisted;
pub mod holes;
pub mod host;
mod ids;
pub mod instruction;
pub mod ledger;
pub mod life;
pub mod mail;
mod nodes;
pub mod overcommit;
pub mod paravirtual;
pub mod pcpu;
pub mod process;
pub mod profile;
pub mod reason;
pub mod resident;
pub mod safety;
pub mod seats;
pub mod shadow;
pub mod state;
pub mod supervisor;
pub mod technique;
pub mod trap_and_emulate;
pub mod vcpu;
pub mod vm;

pub use allocator::FrameUsage;
pub use config::{MarkUpdates, PagingKind, TechniqueKind, VmConfig};
pub use counters::VmCounters;
pub use error::HostError;
pub use exit::{Exit, ExitKind, IoOperation};
pub use host::{Balloon, Host};
pub use ids::{VcpuId, VmId};
pub use ledger::Ledger;
pub use profile::{HardwareProfile, ProfileError};
pub use reason::ExitReason;
pub use state::VmState;
