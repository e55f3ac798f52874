//! Why a guest left for its monitor (or, on a bare machine, for its firmware).
//!
//! One table names them all; counters and the ledger are indexed by it.

/// Declares the reasons with their names in results.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The reason of an exit: what the handler turned out to be needed for.
        #[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum ExitReason {
            $($(#[$doc])* $variant,)*
        }

        impl ExitReason {
            /// All reasons, in order of their numbers.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name of the reason in results.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

reasons! {
    /// No exit: the first entry after the vCPU was put on a pCPU.
    VcpuLoad = "vcpu_load",
    /// The guest kernel accessed a control and status register.
    CsrAccess = "csr_access",
    /// The guest kernel returned from a trap.
    SupervisorReturn = "sret",
    /// The guest kernel ordered its page tables.
    AddressFence = "sfence_vma",
    /// The guest kernel waits for an interrupt.
    WaitForInterrupt = "wfi",
    /// A user program called its kernel.
    SystemCall = "system_call",
    /// The program of a process-level machine was loaded.
    ProgramStart = "program_start",
    /// A program's instruction that the host's processor lacks.
    MissingInstruction = "missing_instruction",
    /// The guest kernel called its firmware.
    FirmwareCall = "firmware_call",
    /// A page fault that the guest itself has to see.
    GuestPageFault = "guest_page_fault",
    /// The shadow page tables had no entry for a page that the guest has mapped.
    ShadowFill = "shadow_fill",
    /// The guest wrote to a page table of its own that is traced.
    TracedWrite = "traced_write",
    /// The second stage of translation had no entry for a page of the guest's memory.
    SecondStageFill = "second_stage_fill",
    /// A device register of the interrupt controllers or the timer.
    MmioInterrupt = "mmio_interrupt",
    /// A device register of the serial console.
    MmioConsole = "mmio_console",
    /// A device register of a virtio device, but its doorbell.
    MmioVirtio = "mmio_virtio",
    /// The doorbell of a virtio device, by which a guest tells of requests.
    MmioNotify = "mmio_notify",
    /// Any other device register.
    MmioOther = "mmio_other",
    /// The guest's timer expired.
    Timer = "timer",
    /// A device of the guest raised its interrupt while the guest ran.
    ExternalInterrupt = "external_interrupt",
    /// The guest kernel came to code that is not translated, or not chained, yet.
    Translation = "translation",
    /// The shadow page tables had no entry for translated code, or the cache had to move.
    TranslationMap = "translation_map",
    /// The guest wrote to code that is translated.
    CodeWrite = "code_write",
    /// The guest kernel began or ended to use floating-point registers.
    FloatWindow = "float_window",
    /// An instruction that is illegal for the guest too.
    IllegalInstruction = "illegal_instruction",
    /// A breakpoint, an access fault or a misaligned access that the guest itself has to see.
    OtherException = "other_exception",
    /// An interrupt or exception that the firmware of a bare machine handled.
    FirmwareTrap = "firmware_trap",
    /// Another vCPU of the VM interrupted or started this one.
    InterprocessorInterrupt = "interprocessor_interrupt",
    /// Another vCPU of the VM had this one do a fence; or this one waited until others had.
    RemoteFence = "remote_fence",
    /// The guest kernel spins for a lock, and said so.
    SpinWait = "spin_wait",
    /// A paravirtual kernel touched a page for the first time.
    WindowFill = "window_fill",
    /// A paravirtual kernel had changes of its page tables made.
    HypercallApply = "hypercall_apply",
    /// A paravirtual kernel changed its address space.
    HypercallSwitch = "hypercall_switch",
    /// A paravirtual kernel waits for an interrupt.
    HypercallWait = "hypercall_wait",
    /// A paravirtual kernel notified a device.
    HypercallNotify = "hypercall_notify",
    /// A paravirtual kernel in user mode returned to a program.
    HypercallReturn = "hypercall_return",
    /// A paravirtual kernel asked what its monitor is, or shared its page.
    HypercallOther = "hypercall_other",
    /// The guest wrote to a page that shared its frame with others.
    CowBreak = "cow_break",
    /// The guest, or its monitor for it, came to a page that is swapped out.
    SwapIn = "swap_in",
}

impl ExitReason {
    /// The number of reasons.
    pub const COUNT: usize = Self::ALL.len();

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A number for each reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ByReason([u64; ExitReason::COUNT]);

impl Default for ByReason {
    fn default() -> Self {
        Self([0; ExitReason::COUNT])
    }
}

impl ByReason {
    /// Adds to the number of a reason.
    pub fn add(&mut self, reason: ExitReason, more: u64) {
        self.0[reason as usize] += more;
    }

    /// All reasons with their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (ExitReason, u64)> {
        ExitReason::ALL.into_iter().zip(self.0)
    }

    /// The sum of all numbers.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions_and_names_differ() {
        for (number, reason) in ExitReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            let same = ExitReason::ALL.into_iter().filter(|other| other.name() == reason.name());
            assert_eq!(same.count(), 1);
            assert_eq!(ExitReason::from_name(reason.name()), Some(reason));
        }
    }
}
