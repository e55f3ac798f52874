//! Faults and interruptions at a place of the translation cache.
//!
//! Each is made to happen where the hart is about to execute the instruction there; what the guest's
//! kernel is told of it, or what is taken off the pCPU, is compared with what bare metal would have
//! between the same two instructions of the guest. Then all is put back, and the guest goes on in the
//! middle of translated code as if nothing had been.

use super::machine::Machine;
use crate::binary_translation::BinaryTranslation;
use crate::binary_translation::registers::{Loan, STATUS};
use crate::binary_translation::sheet::Place;
use crate::binary_translation::vcpu::Origin;
use crate::cpu_state::CpuState;
use crate::reason::ExitReason;
use crate::supervisor::Supervisor;
use crate::technique::{Phase, Technique};
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::{Exception, Hart, Privilege, Reservation};
use dcsim_machine::firmware::StartPoint;
use dcsim_memory::PhysicalAddress;

/// What happens.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Injected {
    /// The instruction raises an exception, which is the guest's.
    Exception,
    /// An interrupt comes, and the guest lets it in.
    Interrupt,
    /// The page of the instruction is not mapped any more. Nor is any page of data: if the instruction
    /// accesses one it faults when it is executed after all.
    PageFault,
    /// The vCPU is taken off its pCPU.
    Unload,
}

/// All that there is.
pub(super) const ALL: &[Injected] =
    &[Injected::Exception, Injected::Interrupt, Injected::PageFault, Injected::Unload];

/// An instruction that is illegal.
const ILLEGAL: u16 = 0;

/// What tells where a translated guest is.
#[derive(Debug)]
struct Saved {
    guest: Supervisor,
    pc: u64,
    reason: ExitReason,
    resting: CpuState,
    resume: Option<StartPoint>,
    loan: Loan,
    float_is_open: bool,
    origin: Origin,
    is_strict: bool,
    step: Option<(u64, u32)>,
    recheck: bool,
    at: Place,
    x: [u64; 32],
    f: [u64; 32],
    fflags: u8,
    frm: u8,
    reservation: Option<Reservation>,
}

impl Saved {
    fn new(translator: &mut BinaryTranslation, hart: &Hart, at: Place) -> Self {
        translator.take_over(hart);
        let life = &translator.base.life;
        Self {
            guest: life.guest.clone(),
            pc: life.pc,
            reason: life.reason,
            resting: life.resting.clone(),
            resume: life.resume,
            loan: translator.loan.clone(),
            float_is_open: translator.float_is_open,
            origin: translator.origin,
            is_strict: translator.is_strict,
            step: translator.step,
            recheck: translator.recheck,
            at,
            x: hart.x,
            f: hart.f,
            fflags: hart.csrs.fflags,
            frm: hart.csrs.frm,
            reservation: hart.reservation,
        }
    }

    /// The guest goes on from there.
    fn put_back(self, translator: &mut BinaryTranslation, hart: &mut Hart) {
        let life = &mut translator.base.life;
        (life.guest, life.pc, life.reason) = (self.guest, self.pc, self.reason);
        (life.resting, life.resume) = (self.resting, self.resume);
        life.phase = Phase::Enter;
        translator.face_mode();
        translator.loan = self.loan;
        (translator.float_is_open, translator.origin) = (self.float_is_open, self.origin);
        (translator.is_strict, translator.step) = (self.is_strict, self.step);
        (translator.recheck, translator.at) = (self.recheck, Some(self.at));
        (hart.x, hart.f) = (self.x, self.f);
        (hart.csrs.fflags, hart.csrs.frm) = (self.fflags, self.frm);
        hart.reservation = self.reservation;
    }
}

/// Lets something happen where the hart is, at `place`, whose instruction is at `frame`; `before` is
/// bare metal's state there.
pub(super) fn inject(
    machine: &mut Machine,
    place: Place,
    frame: PhysicalAddress,
    injected: Injected,
    before: &CpuState,
) -> Result<(), String> {
    let (site, translator) = machine.parts();
    let saved = Saved::new(translator, &site.pcpu.hart, place);
    let expected = match injected {
        Injected::Exception => raise(machine, frame, before)?,
        Injected::Interrupt => interrupt(machine, before)?,
        Injected::PageFault => unmap(machine, place, before)?,
        Injected::Unload => before.clone(),
    };
    let (mut site, translator) = machine.parts();
    translator.unload(&mut site);
    let reported = translator.capture(site.counters);
    translator.load(&mut site);
    saved.put_back(translator, &mut site.pcpu.hart);
    // Back in the guest, where it was.
    machine.technique_step()?;
    let (mut site, translator) = machine.parts();
    translator.map_sheet(&mut site, place, &[]).map_err(|error| error.to_string())?;
    if reported == expected {
        Ok(())
    } else {
        Err(format!("\nexpected {expected:x?}\nreported {reported:x?}"))
    }
}

/// The state after a trap to supervisor mode: privileged architecture, "Supervisor Trap Vector Base
/// Address Register", "Supervisor Status Register", "Supervisor Exception Program Counter".
fn trapped(before: &CpuState, cause: u64, value: u64) -> CpuState {
    let mut state = before.clone();
    let guest = &mut state.supervisor;
    let stacked = if guest.status & status::SIE != 0 { status::SPIE } else { 0 };
    let from = if guest.privilege == Privilege::Supervisor { status::SPP } else { 0 };
    guest.status = guest.status & !(status::SIE | status::SPIE | status::SPP) | stacked | from;
    guest.privilege = Privilege::Supervisor;
    (guest.exception_pc, guest.cause, guest.trap_value) = (before.pc, cause, value);
    let vectored = guest.vector & 3 == 1 && cause & interrupt::CAUSE != 0;
    let slot = if vectored { 4 * (cause & !interrupt::CAUSE) } else { 0 };
    state.pc = (guest.vector & !3).wrapping_add(slot);
    state
}

/// The hart executes an illegal instruction in the place of the one that is there.
fn raise(
    machine: &mut Machine,
    frame: PhysicalAddress,
    before: &CpuState,
) -> Result<CpuState, String> {
    let pc = machine.hart().pc;
    let own = machine.replace(frame, ILLEGAL);
    machine.technique_step()?;
    machine.replace(frame, own);
    expect_trap(machine, Exception::IllegalInstruction.code(), pc)?;
    machine.technique_step()?;
    Ok(trapped(before, Exception::IllegalInstruction.code(), u64::from(ILLEGAL)))
}

/// The guest's kernel lets interrupts in, and one comes.
fn interrupt(machine: &mut Machine, before: &CpuState) -> Result<CpuState, String> {
    let let_in = |guest: &mut Supervisor| {
        guest.status |= status::SIE;
        (guest.enable, guest.software_pending) = (interrupt::SSIP, true);
    };
    let pc = machine.hart().pc;
    let (site, translator) = machine.parts();
    let_in(&mut translator.base.life.guest);
    if translator.loan.is_out() {
        site.pcpu.hart.f[STATUS.index()] |= status::SIE;
    }
    site.pcpu.bus.interrupted = true;
    machine.technique_step()?;
    expect_trap(machine, interrupt::CAUSE | 9, pc)?;
    machine.technique_step()?;
    machine.technique_step()?;
    let mut interrupted = before.clone();
    let_in(&mut interrupted.supervisor);
    Ok(trapped(&interrupted, interrupt::CAUSE | 1, 0))
}

/// The monitor has dropped its trees; the guest is entered again where it was.
fn unmap(machine: &mut Machine, place: Place, before: &CpuState) -> Result<CpuState, String> {
    let pc = machine.hart().pc;
    let (mut site, translator) = machine.parts();
    translator.clear_trees(&mut site);
    (translator.at, translator.base.life.phase) = (Some(place), Phase::Enter);
    machine.technique_step()?;
    machine.technique_step()?;
    expect_trap(machine, Exception::InstructionPageFault.code(), pc)?;
    machine.technique_step()?;
    Ok(before.clone())
}

fn expect_trap(machine: &Machine, cause: u64, pc: u64) -> Result<(), String> {
    match machine.translation().base.life.phase {
        Phase::Trapped(record) if record.cause == cause && record.pc == pc => Ok(()),
        other => Err(format!("no trap {cause:x} at {pc:x}: {other:?}")),
    }
}
