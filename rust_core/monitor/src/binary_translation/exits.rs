//! Handling a trap out of translated code.

use super::emitter::{Action, Position, length_of};
use super::hole::{Hole, is_open};
use super::registers::TAKEN_OVER;
use super::sheet::Place;
use super::vcpu::{BinaryTranslation, Origin};
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::guest_firmware::frames_for_call;
use crate::instruction::{Sensitive, sensitive};
use crate::reason::ExitReason;
use crate::shadow::guest_walk::Access;
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, csr};
use crate::technique::{Handled, Phase, Site, Step};
use crate::trap_and_emulate::exits::handle_interrupt;
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::isa::{Opcode, Register, decode};
use dcsim_hart::{Exception, TrapRecord, Untrapped};
use dcsim_machine::Meter;

/// The firmware's extension whose calls fence addresses.
const REMOTE_FENCE: u64 = 0x5246_4e43;

impl BinaryTranslation {
    /// One step: from a trap to the point where the guest can be entered again.
    pub(super) fn handle(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
    ) -> Result<Step, HostError> {
        let access = Access::of_page_fault(record.cause);
        if access.is_none() && !self.is_translated_mode() {
            return self.base.handle(site, record);
        }
        let frames = match access {
            Some(_) => self.base.spaces.fill_frames().max(self.base.spaces.code_frames()),
            None if is_call(record) => frames_for_call(&site.pcpu.hart),
            None => 0,
        };
        let place = match (self.place_in_guest(record.pc), access) {
            (Some(place), _) => place,
            (None, Some(access)) if !self.is_translated_mode() => {
                return self.handle_user_fault(site, record, access, frames);
            }
            _ => return Ok(Step::Fault("the guest left its translated code".to_owned())),
        };
        self.take_over(&site.pcpu.hart);
        self.at = Some(place);
        if !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        if self.at.is_none() {
            // There are no translations left: the guest executes its instruction once more.
            self.base.life.phase = Phase::Enter;
            return Ok(Step::Done);
        }
        self.begin(&mut site.meter());
        let position = self.position(place);
        self.base.life.pc = position.guest;
        let handled = match access {
            Some(Access::Fetch) => self.handle_fetch_fault(site, place, &position)?,
            Some(access) => self.handle_memory_fault(site, record, access, place)?,
            None if record.cause & interrupt::CAUSE != 0 => {
                Handled::Resume(handle_interrupt(site, record))
            }
            None if is_call(record) => self.act(site, place, &position)?,
            None => self.handle_exception(site, record),
        };
        Ok(self.base.life.finish(site, handled))
    }

    fn handle_user_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
        frames: u64,
    ) -> Result<Step, HostError> {
        if !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        self.base.begin(&mut site.meter(), record);
        let handled = self.handle_data_fault(site, record, access, None)?;
        Ok(self.base.life.finish(site, handled))
    }

    /// What every handler starts with: save the guest's registers, find out where it is.
    fn begin(&mut self, meter: &mut Meter<'_>) {
        meter.enter();
        meter.read_csr(csr::SCAUSE);
        meter.read_csr(csr::SEPC);
        meter.assume(assumed::DISPATCH);
        if self.float_is_open {
            meter.read_csr(csr::SSTATUS);
        }
        if self.loan.is_out() && self.in_kernel() {
            for register in TAKEN_OVER {
                meter.read_float_register(register);
            }
        }
        meter.lookup(1);
        meter.load_state(2);
    }

    /// An exception of an instruction that was copied: the guest's own.
    fn handle_exception(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Handled {
        self.settle(site);
        self.base.reflect(&mut site.meter(), record.cause, record.value);
        let illegal = record.cause == Exception::IllegalInstruction.code();
        Handled::Resume(if illegal {
            ExitReason::IllegalInstruction
        } else {
            ExitReason::OtherException
        })
    }

    /// Does what translated code asks for.
    fn act(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Result<Handled, HostError> {
        match position.action {
            Action::Call => self.emulate(site, place, position),
            Action::Access => self.handle_access_call(site, place, position),
            Action::Run | Action::OpenFloat => Ok(self.open_float(site, place, position)),
            Action::CloseFloat => {
                self.float_is_open = false;
                self.go_on(place);
                Ok(Handled::Resume(ExitReason::FloatWindow))
            }
            Action::Exit { target, retires } => {
                site.counters.translated_instructions += u64::from(retires);
                (self.base.life.pc, self.at) = (target, None);
                self.origin = Origin::Exit(place);
                Ok(Handled::Resume(ExitReason::Translation))
            }
            Action::Miss => {
                self.settle(site);
                self.origin = Origin::Jump;
                Ok(Handled::Resume(ExitReason::Translation))
            }
            Action::Stepped => {
                (self.at, self.step) = (None, None);
                Ok(Handled::Resume(ExitReason::CodeWrite))
            }
        }
    }

    /// The guest goes on behind the instruction at a place.
    pub(super) fn go_on(&mut self, place: Place) {
        self.at = self.cache.sheets.behind(place).map(|(next, _)| next);
    }

    /// Gives the kernel its own floating-point registers, if it may use them.
    fn open_float(&mut self, site: &mut Site<'_>, place: Place, position: &Position) -> Handled {
        let mut meter = site.meter();
        meter.load_state(1);
        if self.base.life.guest.status & status::FS == 0 {
            self.at = None;
            let illegal = Exception::IllegalInstruction.code();
            self.base.reflect(&mut meter, illegal, u64::from(position.bits));
            return Handled::Resume(ExitReason::IllegalInstruction);
        }
        self.loan.give_back(&mut meter);
        self.float_is_open = true;
        self.go_on(place);
        Handled::Resume(ExitReason::FloatWindow)
    }

    /// Emulates an instruction that was not inlined.
    fn emulate(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Result<Handled, HostError> {
        let bits = position.bits;
        let readable = self.base.life.guest.status & status::MXR;
        let kernel = self.in_kernel();
        if !kernel && let Some(handled) = self.emulate_untrapped(site, place, position) {
            return Ok(handled);
        }
        let handled = match sensitive(bits) {
            Some(Sensitive::Csr(access)) => {
                self.base.access_csr(site, access).then_some(Handled::Resume(ExitReason::CsrAccess))
            }
            Some(Sensitive::SupervisorReturn) if kernel => Some(self.base.return_from_trap(site)),
            Some(Sensitive::WaitForInterrupt) if kernel => Some(self.base.wait(site)),
            Some(Sensitive::AddressFence { address, asid }) if kernel => {
                Some(self.fence(site, address, asid)?)
            }
            Some(_) => None,
            None => return self.emulate_call(site, place, position),
        };
        let Some(handled) = handled else { return Ok(self.refuse_instruction(site, position)) };
        site.counters.emulated_instructions += 1;
        if self.base.life.guest.status & status::MXR != readable {
            // What may only be executed is mapped for reading in trees of kernels.
            self.clear_trees(site);
        }
        self.continue_behind(place, position);
        Ok(handled)
    }

    /// An instruction of the guest's user mode that should trap and does not, on a hart like the
    /// guest's: what it sees is the guest's.
    fn emulate_untrapped(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Option<Handled> {
        let profile = site.pcpu.hart.profile();
        let mut meter = site.meter();
        let reason = match sensitive(position.bits)? {
            Sensitive::Csr(access) => {
                let reads = access.destination != Register::R0;
                let untrapped = profile.untrapped(access.number, reads, access.writes())?;
                if untrapped == Untrapped::Shown {
                    meter.load_state(1);
                    let value = self.base.life.guest.read(access.number, Inputs::default())?;
                    meter.write_register(access.destination, value);
                }
                ExitReason::CsrAccess
            }
            Sensitive::AddressFence { .. } if profile.drops_writes() => ExitReason::AddressFence,
            _ => return None,
        };
        meter.assume(assumed::DECODE_PRIVILEGED);
        site.counters.emulated_instructions += 1;
        self.base.life.pc = position.guest.wrapping_add(length_of(position.bits));
        self.continue_behind(place, position);
        Some(Handled::Resume(reason))
    }

    /// An environment call, a breakpoint, or what is illegal.
    fn emulate_call(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Result<Handled, HostError> {
        match decode(position.bits).map(|op| op.opcode) {
            Some(Opcode::Ecall) if !self.in_kernel() => {
                self.at = None;
                let cause = Exception::EcallFromUser.code();
                self.base.reflect(&mut site.meter(), cause, 0);
                Ok(Handled::Resume(ExitReason::SystemCall))
            }
            Some(Opcode::Ecall) => {
                let fences = site.pcpu.hart.x[Register::R17.index()] == REMOTE_FENCE;
                let phase = self.base.call_firmware(site)?;
                self.recheck = true;
                self.continue_behind(place, position);
                if phase != Phase::Enter {
                    self.at = None;
                }
                if fences && !self.base.spaces.follows_tables() {
                    self.unmap_sheets(site)?;
                }
                Ok(Handled::Turn(ExitReason::FirmwareCall, phase))
            }
            Some(Opcode::Ebreak) => {
                self.at = None;
                let cause = Exception::Breakpoint.code();
                self.base.reflect(&mut site.meter(), cause, position.guest);
                Ok(Handled::Resume(ExitReason::OtherException))
            }
            _ => Ok(self.refuse_instruction(site, position)),
        }
    }

    fn refuse_instruction(&mut self, site: &mut Site<'_>, position: &Position) -> Handled {
        self.at = None;
        let illegal = Exception::IllegalInstruction.code();
        self.base.reflect(&mut site.meter(), illegal, u64::from(position.bits));
        Handled::Resume(ExitReason::IllegalInstruction)
    }

    /// Whether the guest is in the mode whose translations the cache holds.
    fn in_cached_mode(&self) -> bool {
        self.base.life.guest.privilege == self.cache.mode
    }

    /// If the guest goes on behind an instruction, its translated code does, too.
    pub(super) fn continue_behind(&mut self, place: Place, position: &Position) {
        let next = position.guest.wrapping_add(length_of(position.bits));
        let goes_on = self.base.life.pc == next && self.in_cached_mode();
        self.at = None;
        if goes_on {
            self.go_on(place);
        }
    }

    fn fence(
        &mut self,
        site: &mut Site<'_>,
        address: Register,
        asid: Register,
    ) -> Result<Handled, HostError> {
        let fenced = site.pcpu.hart.x[address.index()];
        let handled = self.base.fence(site, address, asid)?;
        let is_followed = self.base.spaces.follows_tables();
        if address != Register::R0 && !is_followed && !is_open(Hole::Fences) {
            let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
            let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
            for cache in [&mut self.cache, &mut self.other] {
                cache.fence(&mut meter, &mut frames, &mut self.base.spaces, fenced)?;
            }
        }
        Ok(handled)
    }
}

/// Whether translated code calls the monitor: a short instruction is replaced by a breakpoint.
fn is_call(record: &TrapRecord) -> bool {
    [Exception::EcallFromUser, Exception::Breakpoint]
        .into_iter()
        .any(|exception| exception.code() == record.cause)
}
