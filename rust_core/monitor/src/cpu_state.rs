//! The registers of a vCPU at rest, the same for every technique.

use crate::paravirtual::Agreement;
use crate::supervisor::Supervisor;
use dcsim_hart::Privilege;
use dcsim_machine::firmware::StartPoint;

/// Integer, floating-point and supervisor registers, and where execution goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CpuState {
    /// Integer registers.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// Accrued floating-point exceptions.
    pub fflags: u8,
    /// Rounding mode.
    pub frm: u8,
    /// The address of the next instruction.
    pub pc: u64,
    /// Supervisor registers and the privilege.
    pub supervisor: Supervisor,
    /// Instructions retired since the guest's start.
    pub instructions: u64,
    /// Whether the vCPU is waiting for an interrupt.
    pub waiting: bool,
    /// Whether it executes nothing until another one starts it.
    pub stopped: bool,
    /// Where it goes on after the wait, if its firmware suspended it and not at `pc`.
    pub resume: Option<StartPoint>,
    /// Where the guest keeps its record of stolen time, if it does.
    pub steal_record: Option<u64>,
    /// What the guest has agreed on with a monitor that it knows of.
    pub agreement: Option<Agreement>,
}

impl CpuState {
    /// A vCPU that is about to execute its first instruction at `entry`, with the arguments that
    /// the boot protocol gives a kernel: the number of its hart and the device tree's address.
    pub fn at_entry(entry: u64, device_tree: u64) -> Self {
        let mut x = [0; 32];
        x[11] = device_tree;
        Self {
            x,
            f: [0; 32],
            fflags: 0,
            frm: 0,
            pc: entry,
            supervisor: Supervisor::at_entry(entry),
            instructions: 0,
            waiting: false,
            stopped: false,
            resume: None,
            steal_record: None,
            agreement: None,
        }
    }

    /// A vCPU that another one has yet to start.
    pub fn stopped() -> Self {
        Self { stopped: true, ..Self::at_entry(0, 0) }
    }

    /// A stopped vCPU with this number once another one has started it.
    pub fn started(self, number: usize, start: StartPoint) -> Self {
        let mut x = self.x;
        x[10] = number as u64;
        x[11] = start.opaque;
        let supervisor = Supervisor::at_entry(start.address);
        Self { x, pc: start.address, supervisor, stopped: false, ..self }
    }

    /// The state as bytes: each register in 8, little-endian; what was agreed on follows.
    pub fn encode(&self) -> Vec<u8> {
        let mut words = self.words();
        words.extend(self.agreement.iter().flat_map(Agreement::words));
        words.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// The state from [`Self::encode`]'s bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<8>();
        let words: Vec<u64> = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
        let (registers, agreed) = words.split_at_checked(WORDS).filter(|_| rest.is_empty())?;
        let mut state = Self::from_words(registers)?;
        if !agreed.is_empty() {
            state.agreement = Some(Agreement::from_words(agreed)?);
        }
        Some(state)
    }

    fn words(&self) -> Vec<u64> {
        let guest = &self.supervisor;
        let mut words = Vec::with_capacity(WORDS);
        words.extend_from_slice(&self.x);
        words.extend_from_slice(&self.f);
        words.extend_from_slice(&[
            u64::from(self.fflags),
            u64::from(self.frm),
            self.pc,
            self.instructions,
            u64::from(self.waiting) | u64::from(self.stopped) << 1,
            guest.privilege.code(),
            guest.status,
            guest.vector,
            guest.enable,
            u64::from(guest.software_pending),
            guest.counter_enable,
            guest.environment,
            guest.scratch,
            guest.exception_pc,
            guest.cause,
            guest.trap_value,
            guest.translation,
            guest.timer_compare,
            u64::from(self.resume.is_some()),
            self.resume.map_or(0, |start| start.address),
            self.resume.map_or(0, |start| start.opaque),
            self.steal_record.unwrap_or(NO_RECORD),
        ]);
        words
    }

    fn from_words(words: &[u64]) -> Option<Self> {
        let x = words[..32].try_into().ok()?;
        let f = words[32..64].try_into().ok()?;
        let [
            fflags,
            frm,
            pc,
            instructions,
            waiting,
            privilege,
            status,
            vector,
            enable,
            software_pending,
            counter_enable,
            environment,
            scratch,
            exception_pc,
            cause,
            trap_value,
            translation,
            timer_compare,
            resumes,
            address,
            opaque,
            steal_record,
        ] = words[64..].try_into().ok()?;
        let supervisor = Supervisor {
            privilege: Privilege::from_code(privilege).filter(|p| *p != Privilege::Machine)?,
            status,
            vector,
            enable,
            software_pending: software_pending != 0,
            counter_enable,
            environment,
            scratch,
            exception_pc,
            cause,
            trap_value,
            translation,
            timer_compare,
        };
        Some(Self {
            x,
            f,
            fflags: u8::try_from(fflags).ok()?,
            frm: u8::try_from(frm).ok()?,
            pc,
            supervisor,
            instructions,
            waiting: waiting & 1 != 0,
            stopped: waiting & 2 != 0,
            resume: (resumes != 0).then_some(StartPoint { address, opaque }),
            steal_record: Some(steal_record).filter(|record| *record != NO_RECORD),
            agreement: None,
        })
    }
}

/// Registers in the encoding.
const WORDS: usize = 32 + 32 + 22;

/// In the encoding: no record of stolen time. It is no multiple of a record's size.
const NO_RECORD: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paravirtual::Layout;

    #[test]
    fn a_state_survives_its_encoding() {
        let mut state = CpuState::at_entry(0x8020_0000, 0x8100_0000);
        state.supervisor.privilege = Privilege::User;
        state.supervisor.timer_compare = 12345;
        state.f[31] = u64::MAX;
        state.waiting = true;
        state.resume = Some(StartPoint { address: 0x8030_0000, opaque: 5 });
        state.steal_record = Some(0x8040_0040);
        let bytes = state.encode();
        assert_eq!(bytes.len(), WORDS * 8);
        assert_eq!(CpuState::decode(&bytes).as_ref(), Some(&state));
        state.agreement = Some(Agreement {
            layout: Layout::User,
            translated: true,
            shared: Some(8),
            listener: 5,
            large_pages: true,
            seal: None,
            roots: [4, 9].into(),
        });
        assert_eq!(CpuState::decode(&state.encode()), Some(state));
        assert_eq!(CpuState::decode(&bytes[8..]), None);
    }

    #[test]
    fn a_state_outside_user_and_supervisor_mode_is_refused() {
        let mut bytes = CpuState::at_entry(0, 0).encode();
        bytes[(64 + 5) * 8] = 3;
        assert_eq!(CpuState::decode(&bytes), None);
    }
}
