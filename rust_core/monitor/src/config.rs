//! What a VM is created from.

use crate::process::config::ProgramConfig;
use dcsim_hart::{IsaProfile, SecondStage};
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
    /// The guest kernel is translated into code that is safe to execute in user mode.
    BinaryTranslation,
    /// The guest kernel keeps the supervisor mode, under a monitor in machine mode.
    FourRings,
    /// The guest runs in the modes that the hypervisor extension has for guests.
    HardwareAssisted,
    /// The guest kernel knows its monitor and calls it.
    Paravirtual,
    /// There is no guest kernel: a program's system calls are answered by the host.
    Process,
}

impl TechniqueKind {
    /// The ways of paging that go with it; the first is taken where none is named.
    pub const fn pagings(self) -> &'static [PagingKind] {
        match self {
            Self::BareMetal | Self::Process => &[PagingKind::None],
            Self::TrapAndEmulate | Self::FourRings | Self::BinaryTranslation => {
                &[PagingKind::ShadowTlb, PagingKind::ShadowTraced]
            }
            Self::HardwareAssisted => &[PagingKind::Nested, PagingKind::ShadowTraced],
            Self::Paravirtual => &[PagingKind::Direct],
        }
    }

    /// All techniques for guests with a kernel.
    pub const ALL: [Self; 6] = [
        Self::BareMetal,
        Self::TrapAndEmulate,
        Self::BinaryTranslation,
        Self::FourRings,
        Self::HardwareAssisted,
        Self::Paravirtual,
    ];

    /// Whether its VMs can have several vCPUs with this way of paging.
    pub const fn runs_several_vcpus(self, paging: PagingKind) -> bool {
        match self {
            Self::TrapAndEmulate | Self::FourRings | Self::HardwareAssisted => {
                !matches!(paging, PagingKind::None | PagingKind::Direct)
            }
            Self::BareMetal | Self::Paravirtual => true,
            Self::BinaryTranslation | Self::Process => false,
        }
    }

    /// Whether the guest's kernel has to be made for it.
    pub const fn needs_interface(self) -> bool {
        matches!(self, Self::Paravirtual)
    }

    /// Refuses a kind of pCPU on which the technique cannot work.
    pub fn check_isa(self, isa: IsaProfile) -> Result<(), String> {
        match self {
            Self::FourRings if !isa.can_trap_supervisor() => Err(self.lacks_traps(isa)),
            Self::HardwareAssisted if !isa.has_hypervisor() => Err(format!(
                "the technique `{}` needs the hypervisor extension, which the profile `{}` lacks: \
                 choose another technique, or a profile that has it, such as `rv64gch`",
                self.name(),
                isa.name()
            )),
            _ => Ok(()),
        }
    }

    /// The instruction set of the machine that a guest finds, on a pCPU with this one. Monitors
    /// give their guests no hypervisor extension.
    pub const fn guest_isa(self, isa: IsaProfile) -> IsaProfile {
        match (self, isa) {
            (Self::BareMetal, isa) => isa,
            (_, IsaProfile::Rv64gch) => IsaProfile::Rv64gc,
            (_, isa) => isa,
        }
    }

    fn lacks_traps(self, isa: IsaProfile) -> String {
        format!(
            "the technique `{}` keeps the guest kernel in supervisor mode and needs `mstatus` to \
             trap its translation, waits and returns (TVM, TW and TSR), which the profile `{}` \
             has hard-wired to 0: choose a technique that runs the kernel in user mode, such as \
             `trap-and-emulate`, or another profile",
            self.name(),
            isa.name()
        )
    }

    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BareMetal => "bare-metal",
            Self::TrapAndEmulate => "trap-and-emulate",
            Self::BinaryTranslation => "binary-translation",
            Self::FourRings => "four-rings",
            Self::HardwareAssisted => "hardware-assisted",
            Self::Paravirtual => "paravirtual",
            Self::Process => "process",
        }
    }

    fn default_paging(self) -> PagingKind {
        self.pagings()[0]
    }
}

/// How guest addresses are translated.
#[derive(Copy, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PagingKind {
    /// By the guest's own tables, or those of its program: there is no monitor.
    None,
    /// Shadow page tables as a TLB of the guest: filled on demand, emptied by its fences.
    ShadowTlb,
    /// Shadow page tables that are kept in step with the guest's, whose stores to them trap.
    ShadowTraced,
    /// By two stages of tables: the guest's own, and those of the monitor.
    Nested,
    /// The guest's own tables, whose every change the monitor has checked.
    Direct,
}

impl PagingKind {
    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ShadowTlb => "shadow-tlb",
            Self::ShadowTraced => "shadow-traced",
            Self::Nested => "nested",
            Self::Direct => "direct",
        }
    }

    /// Refuses a kind of pCPU that cannot translate in this way.
    pub fn check_second_stage(self, second_stage: SecondStage) -> Result<(), String> {
        if self == Self::Nested && second_stage == SecondStage::BareOnly {
            return Err(format!(
                "`{}` paging needs a second stage of translation, which this hardware lacks: \
                 choose another technique, or hardware that has one",
                self.name()
            ));
        }
        Ok(())
    }
}

/// The bytes of a large page.
pub const LARGE_PAGE_BYTES: u64 = 2 << 20;

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
#[serde(from = "VmText")]
#[allow(clippy::struct_excessive_bools, reason = "one for each key that is on or off")]
pub struct VmConfig {
    /// A name for messages.
    pub name: String,
    /// How it runs.
    pub technique: TechniqueKind,
    /// How its addresses are translated.
    pub paging: PagingKind,
    /// What sets accessed and dirty bits, as its firmware chooses.
    pub mark_updates: MarkUpdates,
    /// The size of its memory in bytes, whole pages.
    pub memory_bytes: u64,
    /// The number of its vCPUs.
    pub vcpus: usize,
    /// The kernel's command line.
    pub bootargs: String,
    /// Whether it has a network device.
    pub network: bool,
    /// Whether it has a virtio console beside its serial port.
    pub console: bool,
    /// Whether it has a balloon, by which the host asks it for memory.
    pub balloon: bool,
    /// Whether the balloon hears of pages that the guest does not use, and has their frames freed.
    pub free_page_reporting: bool,
    /// Whether the host's frames for its memory lie in runs of 2 MiB, given at once, which one entry of
    /// the second stage maps, or of the guest's own tables where these are walked.
    pub large_pages: bool,
    /// Whether code of its user mode is translated as its kernel's is.
    pub translate_user: bool,
    /// The node of its host whose frames it is given first; none for pages dealt to all nodes in turn.
    /// Without meaning on a host whose memory is equally near to all pCPUs.
    pub memory_node: Option<usize>,
    /// The seed of its entropy device, or of what its program asks for as random.
    pub entropy_seed: u64,
    /// The program of a process-level machine.
    pub process: Option<ProgramConfig>,
}

/// Most vCPUs of a VM.
pub const MOST_VCPUS: usize = 8;

/// How many vCPUs a VM has that does not say.
fn one() -> usize {
    1
}

/// The same as it is written: what has a default may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "as above")]
struct VmText {
    name: String,
    technique: TechniqueKind,
    paging: Option<PagingKind>,
    #[serde(default)]
    mark_updates: MarkUpdates,
    memory_bytes: u64,
    #[serde(default = "one")]
    vcpus: usize,
    #[serde(default)]
    bootargs: String,
    #[serde(default)]
    network: bool,
    #[serde(default)]
    console: bool,
    #[serde(default)]
    balloon: bool,
    #[serde(default)]
    free_page_reporting: bool,
    #[serde(default)]
    large_pages: bool,
    #[serde(default)]
    translate_user: bool,
    #[serde(default)]
    memory_node: Option<usize>,
    #[serde(default)]
    entropy_seed: u64,
    #[serde(default)]
    process: Option<ProgramConfig>,
}

impl From<VmText> for VmConfig {
    fn from(text: VmText) -> Self {
        Self {
            name: text.name,
            technique: text.technique,
            paging: text.paging.unwrap_or_else(|| text.technique.default_paging()),
            mark_updates: text.mark_updates,
            memory_bytes: text.memory_bytes,
            vcpus: text.vcpus,
            bootargs: text.bootargs,
            network: text.network,
            console: text.console,
            balloon: text.balloon,
            free_page_reporting: text.free_page_reporting,
            large_pages: text.large_pages,
            translate_user: text.translate_user,
            memory_node: text.memory_node,
            entropy_seed: text.entropy_seed,
            process: text.process,
        }
    }
}

impl VmConfig {
    /// What the guest's firmware switches on.
    pub fn firmware(&self) -> FirmwareConfig {
        FirmwareConfig {
            updates_dirty_bits: self.mark_updates == MarkUpdates::Hardware,
            ..FirmwareConfig::default()
        }
    }

    /// Refuses large pages where no table that the hardware walks could have them.
    pub fn check_large_pages(&self) -> Result<(), String> {
        if !self.large_pages {
            return Ok(());
        }
        if !matches!(self.paging, PagingKind::Nested | PagingKind::Direct) {
            return Err(format!(
                "no table that the hardware walks could have large pages: write `nested` or \
                 `direct` paging in place of `{}`, or leave large pages out",
                self.paging.name()
            ));
        }
        if !self.memory_bytes.is_multiple_of(LARGE_PAGE_BYTES) {
            return Err(format!(
                "{} bytes of memory are no whole number of large pages of {LARGE_PAGE_BYTES} bytes",
                self.memory_bytes
            ));
        }
        Ok(())
    }

    /// Refuses a number of vCPUs that no VM can have, or that the technique cannot.
    pub fn check_vcpus(&self) -> Result<(), String> {
        if self.vcpus == 0 || self.vcpus > MOST_VCPUS {
            return Err(format!("a VM cannot have {} vCPUs: 1 to {MOST_VCPUS}", self.vcpus));
        }
        if self.vcpus > 1 && !self.technique.runs_several_vcpus(self.paging) {
            return Err(format!(
                "the technique `{}` with the paging `{}` runs one vCPU only, not {}",
                self.technique.name(),
                self.paging.name(),
                self.vcpus
            ));
        }
        Ok(())
    }

    /// Refuses to have user code translated by a technique that translates none.
    pub fn check_translate_user(&self) -> Result<(), String> {
        if !self.translate_user || self.technique == TechniqueKind::BinaryTranslation {
            return Ok(());
        }
        Err(format!(
            "the technique `{}` translates no code: choose `{}` to have user code translated",
            self.technique.name(),
            TechniqueKind::BinaryTranslation.name()
        ))
    }

    /// Refuses a balloon where nobody could use what it gives, or could take it.
    pub fn check_balloon(&self) -> Result<(), String> {
        let reason = if self.free_page_reporting && !self.balloon {
            "free pages are reported to a balloon, and there is none: add one"
        } else if !self.balloon {
            return Ok(());
        } else if self.technique == TechniqueKind::BareMetal {
            "a bare-metal guest owns its host: nobody could use the memory that a balloon gives"
        } else if self.paging == PagingKind::Direct {
            "the guest's own tables hold machine addresses, so that its host could not take a page away \
             safely"
        } else if self.large_pages {
            "memory in runs of large frames is not given back by the page: leave the balloon or the \
             large pages out"
        } else {
            return Ok(());
        };
        Err(reason.to_owned())
    }

    /// Refuses a way of paging that the technique has no use for.
    pub fn check_paging(&self) -> Result<(), String> {
        let (technique, paging) = (self.technique, self.paging);
        if technique.pagings().contains(&paging) {
            return Ok(());
        }
        let names: Vec<_> = technique.pagings().iter().map(|each| each.name()).collect();
        Err(format!(
            "the technique `{}` does not go with the paging `{}`: choose {}, or leave the paging out",
            technique.name(),
            paging.name(),
            names.join(" or ")
        ))
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
        assert_eq!(config.paging, PagingKind::ShadowTlb);
        assert_eq!(config.vcpus, 1);
        assert!(!config.network);
        assert!(!config.console);
        assert!(!config.translate_user);
    }

    #[test]
    fn unknown_keys_and_techniques_are_refused() {
        let unknown = r#"{"name": "a", "technique": "bare-metal", "memory_bytes": 1, "memory": 2}"#;
        assert!(VmConfig::from_json(unknown).unwrap_err().to_string().contains("memory"));
        let technique = r#"{"name": "a", "technique": "magic", "memory_bytes": 1}"#;
        assert!(VmConfig::from_json(technique).is_err());
    }

    #[test]
    fn each_technique_goes_with_its_default_and_names_what_it_goes_with() {
        for technique in TechniqueKind::ALL {
            let name = technique.name();
            let text = format!(r#"{{"name": "a", "technique": "{name}", "memory_bytes": 4096}}"#);
            let config = VmConfig::from_json(&text).unwrap();
            assert_eq!(config.technique, technique);
            assert_eq!(config.check_paging(), Ok(()));
        }
        let text = r#"{"name": "a", "technique": "bare-metal", "paging": "shadow-tlb",
            "memory_bytes": 4096}"#;
        let refusal = VmConfig::from_json(text).unwrap().check_paging().unwrap_err();
        for part in ["`bare-metal`", "`shadow-tlb`", "choose none"] {
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn a_number_of_vcpus_that_cannot_be_is_refused() {
        for (vcpus, part) in [(0, "0 vCPUs"), (9, "9 vCPUs"), (usize::MAX, "1 to 8")] {
            let text = format!(
                r#"{{"name": "a", "technique": "bare-metal", "vcpus": {vcpus}, "memory_bytes": 1}}"#
            );
            let refusal = VmConfig::from_json(&text).unwrap().check_vcpus().unwrap_err();
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn a_technique_refuses_several_vcpus_or_runs_them() {
        for technique in TechniqueKind::ALL {
            let name = technique.name();
            let text = format!(
                r#"{{"name": "a", "technique": "{name}", "vcpus": 8, "memory_bytes": 4096}}"#
            );
            let checked = VmConfig::from_json(&text).unwrap().check_vcpus();
            assert_eq!(
                checked.is_ok(),
                technique.runs_several_vcpus(technique.default_paging()),
                "{checked:?}"
            );
        }
    }

    #[test]
    fn a_balloon_needs_a_host_that_can_use_its_pages() {
        let check = |technique: &str, keys: &str| {
            let text = format!(
                r#"{{"name": "a", "technique": "{technique}", {keys}, "memory_bytes": 4096}}"#
            );
            VmConfig::from_json(&text).unwrap().check_balloon()
        };
        let balloon = r#""balloon": true"#;
        assert_eq!(check("hardware-assisted", balloon), Ok(()));
        assert_eq!(check("four-rings", r#""balloon": true, "free_page_reporting": true"#), Ok(()));
        for (technique, keys, reason) in [
            ("bare-metal", balloon, "owns its host"),
            ("paravirtual", balloon, "machine addresses"),
            ("hardware-assisted", r#""balloon": true, "large_pages": true"#, "large frames"),
            ("trap-and-emulate", r#""free_page_reporting": true"#, "there is none"),
        ] {
            let refusal = check(technique, keys).unwrap_err();
            assert!(refusal.contains(reason), "{refusal}");
        }
    }

    #[test]
    fn user_code_is_translated_where_code_is() {
        for technique in TechniqueKind::ALL {
            let name = technique.name();
            let text = format!(
                r#"{{"name": "a", "technique": "{name}", "translate_user": true, "memory_bytes": 4096}}"#
            );
            let checked = VmConfig::from_json(&text).unwrap().check_translate_user();
            assert_eq!(checked.is_ok(), name == "binary-translation", "{checked:?}");
        }
    }

    #[test]
    fn a_kernel_in_supervisor_mode_is_refused_where_its_acts_cannot_trap() {
        for isa in [IsaProfile::Rv64gcLegacy, IsaProfile::Rv64gcLegacySilent] {
            let refusal = TechniqueKind::FourRings.check_isa(isa).unwrap_err();
            assert!(refusal.contains("TVM") && refusal.contains(isa.name()), "{refusal}");
            assert_eq!(TechniqueKind::TrapAndEmulate.check_isa(isa), Ok(()));
        }
        assert_eq!(TechniqueKind::FourRings.check_isa(IsaProfile::Rv64gc), Ok(()));
    }
}
