//! What a VM is created from.

use dcsim_machine::firmware::FirmwareConfig;
use serde::{Deserialize, Serialize};

/// How a guest is run.
#[derive(Copy, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TechniqueKind {
    /// No monitor: the guest owns the machine.
    BareMetal,
    /// The guest kernel runs in user mode; what is sensitive traps and is emulated.
    TrapAndEmulate,
}

/// How guest addresses are translated under a monitor.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PagingKind {
    /// Shadow page tables.
    #[default]
    Shadow,
}

/// What sets the accessed and dirty bits of a guest's page tables.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkUpdates {
    /// The hart (Svadu), as QEMU's harts do.
    #[default]
    Hardware,
    /// The kernel, after a page fault (Svade).
    Fault,
}

/// A VM as its creator describes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VmConfig {
    /// A name for messages.
    pub name: String,
    /// How it runs.
    pub technique: TechniqueKind,
    /// How its addresses are translated; bare metal has no need of it.
    #[serde(default)]
    pub paging: PagingKind,
    /// What sets accessed and dirty bits, as its firmware chooses.
    #[serde(default)]
    pub mark_updates: MarkUpdates,
    /// The size of its memory in bytes, whole pages.
    pub memory_bytes: u64,
    /// The kernel's command line.
    #[serde(default)]
    pub bootargs: String,
    /// Whether it has a network device.
    #[serde(default)]
    pub network: bool,
    /// Whether it has a virtio console beside its serial port.
    #[serde(default)]
    pub console: bool,
    /// The seed of its entropy device.
    #[serde(default)]
    pub entropy_seed: u64,
}

impl VmConfig {
    /// What the guest's firmware switches on.
    pub fn firmware(&self) -> FirmwareConfig {
        FirmwareConfig {
            updates_dirty_bits: self.mark_updates == MarkUpdates::Hardware,
            ..FirmwareConfig::default()
        }
    }

    /// Reads a configuration from JSON.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let text = r#"{"name": "a", "technique": "trap-and-emulate", "memory_bytes": 4096}"#;
        let config = VmConfig::from_json(text).unwrap();
        assert_eq!(config.technique, TechniqueKind::TrapAndEmulate);
        assert_eq!(config.paging, PagingKind::Shadow);
        assert!(!config.network);
        assert!(!config.console);
    }

    #[test]
    fn unknown_keys_and_techniques_are_refused() {
        let unknown = r#"{"name": "a", "technique": "bare-metal", "memory_bytes": 1, "memory": 2}"#;
        assert!(VmConfig::from_json(unknown).unwrap_err().to_string().contains("memory"));
        let technique = r#"{"name": "a", "technique": "magic", "memory_bytes": 1}"#;
        assert!(VmConfig::from_json(technique).is_err());
    }
}
