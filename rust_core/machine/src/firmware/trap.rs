//! Traps into machine mode.

use super::machine_mode::{Departure, MachineMode, execute_fence};
use super::sbi::{Call, Reply};
use super::{Firmware, HartState, Outcome, csr, sbi};
use crate::assumed;
use crate::board::map;
use crate::meter::Meter;
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::isa::Register;
use dcsim_hart::{Exception, Interrupt, Privilege, TrapRecord, Width};

/// The length of ECALL.
const ECALL_BYTES: u64 = 4;

impl Firmware {
    /// Handles a trap that was taken to machine mode.
    pub fn handle(&mut self, meter: &mut Meter<'_>, record: &TrapRecord) -> Outcome {
        meter.enter();
        let cause = meter.read_csr(csr::MCAUSE);
        meter.assume(assumed::DISPATCH);
        if cause == Exception::EcallFromSupervisor.code() {
            return self.serve_call(meter);
        }
        if cause == Interrupt::MachineTimer.cause() {
            pass_timer_on(meter);
        } else if cause == Interrupt::MachineSoftware.cause() {
            self.read_mailbox(meter);
        } else {
            redirect(meter, record.from);
        }
        meter.leave();
        Outcome::Resume
    }

    /// A hart that is stopped looks into its mailbox. `Resume` if another hart has started it.
    pub fn look_for_start(&mut self, meter: &mut Meter<'_>) -> Outcome {
        self.read_mailbox(meter);
        let hart = meter.hart_id();
        let start = self.harts.get_mut(hart).and_then(|record| record.mailbox.start.take());
        match start {
            Some(start) => {
                self.boot(meter, start);
                Outcome::Resume
            }
            None => Outcome::Stopped,
        }
    }

    /// The calling hart has waited for an interrupt, and one is pending now.
    pub fn wake(&mut self, meter: &mut Meter<'_>) -> Outcome {
        let hart = meter.hart_id();
        if let Some(record) = self.harts.get_mut(hart)
            && record.state == HartState::Suspended
        {
            record.state = HartState::Started;
            if let Some(start) = record.resume.take() {
                self.enter_supervisor(meter, start);
            }
        }
        Outcome::Resume
    }

    fn serve_call(&mut self, meter: &mut Meter<'_>) -> Outcome {
        let pc = meter.read_csr(csr::MEPC);
        let call = read_call(meter);
        let hart = meter.hart_id();
        if let Some(record) = self.harts.get_mut(hart) {
            record.waits_for.clear();
        }
        let mut platform = MachineMode { firmware: self, meter, departure: Departure::Return };
        let reply = sbi::serve(&mut platform, &call);
        let departure = platform.departure;
        match departure {
            Departure::Stop => return Outcome::Stopped,
            Departure::SuspendInFirmware => return Outcome::Idle,
            Departure::Return | Departure::Suspend => {}
        }
        meter.write_csr(csr::MEPC, pc.wrapping_add(ECALL_BYTES));
        write_reply(meter, reply);
        meter.leave();
        if departure == Departure::Suspend { Outcome::Idle } else { Outcome::Resume }
    }

    /// Does what other harts have asked of this one.
    fn read_mailbox(&mut self, meter: &mut Meter<'_>) {
        let hart = meter.hart_id();
        // Cleared first: a request that comes later raises it again. The register exists.
        let _ = meter.store_device(map::ACLINT.base + 4 * hart as u64, Width::Word, 0);
        meter.load_state(3);
        let Some(record) = self.harts.get_mut(hart) else { return };
        let fences = std::mem::take(&mut record.mailbox.fences);
        let raised = std::mem::take(&mut record.mailbox.interrupt);
        for fence in fences {
            execute_fence(meter, fence);
        }
        if raised {
            meter.set_csr(csr::MIP, interrupt::SSIP);
        }
    }
}

/// The machine timer stands in for the supervisor's: hand the interrupt on, and be silent until
/// the next call sets the timer again.
fn pass_timer_on(meter: &mut Meter<'_>) {
    meter.clear_csr(csr::MIE, interrupt::MTIP);
    meter.set_csr(csr::MIP, interrupt::STIP);
}

fn read_call(meter: &mut Meter<'_>) -> Call {
    const ARGUMENTS: [Register; 6] =
        [Register::R10, Register::R11, Register::R12, Register::R13, Register::R14, Register::R15];
    Call {
        extension: meter.read_register(Register::R17),
        function: meter.read_register(Register::R16),
        arguments: ARGUMENTS.map(|register| meter.read_register(register)),
    }
}

fn write_reply(meter: &mut Meter<'_>, reply: Reply) {
    let (error, value) = match reply {
        Ok(value) => (0, value),
        Err(error) => (error.code() as u64, 0),
    };
    meter.write_register(Register::R10, error);
    meter.write_register(Register::R11, value);
}

/// An exception that is not delegated and that the firmware has nothing to do with: the supervisor
/// takes it as if it had been delegated.
fn redirect(meter: &mut Meter<'_>, from: Privilege) {
    for (source, target) in
        [(csr::MEPC, csr::SEPC), (csr::MCAUSE, csr::SCAUSE), (csr::MTVAL, csr::STVAL)]
    {
        let value = meter.read_csr(source);
        meter.write_csr(target, value);
    }
    let before = meter.read_csr(csr::MSTATUS);
    let mut after = before & !(status::SPP | status::SPIE | status::SIE | status::MPP);
    after |= 1 << status::MPP_SHIFT;
    after |= if from == Privilege::Supervisor { status::SPP } else { 0 };
    after |= if before & status::SIE != 0 { status::SPIE } else { 0 };
    meter.write_csr(csr::MSTATUS, after);
    let vector = meter.read_csr(csr::STVEC);
    meter.write_csr(csr::MEPC, vector & !3);
}
