//! Instructions that concern the whole hart: control and status registers, calls and returns,
//! waiting, fences.

use crate::csr::{CsrEffect, CsrOp};
use crate::engine::{After, Step};
use crate::hart::{Hart, Privilege};
use crate::isa::Register;
use crate::trap::{Abort, Exception, Stop, Trap, Wait};

type Outcome = Result<After, Abort>;

fn access(hart: &mut Hart, step: &Step, operation: CsrOp) -> Outcome {
    let number = step.imm as u16;
    let (old, effect) = hart.csr_access(number, operation).or_else(|trap| {
        let reads = step.rd != Register::R0;
        let value = hart.unprivileged_access(number, operation, reads).ok_or(trap)?;
        Ok::<_, Trap>((value, CsrEffect::None))
    })?;
    hart.x[step.rd.index()] = old;
    hart.x[0] = 0;
    Ok(match effect {
        CsrEffect::None => After::Next,
        CsrEffect::EndBlock => After::Look,
    })
}

fn source(hart: &Hart, step: &Step) -> u64 {
    hart.x[step.rs1.index()]
}

/// The immediate in the place of `rs1`.
fn immediate(step: &Step) -> u64 {
    u64::from(step.rs1.bits())
}

/// With `x0`, or 0, as the operand CSRRS and CSRRC only read.
fn unless_zero(step: &Step, operation: CsrOp) -> CsrOp {
    if step.rs1 == Register::R0 { CsrOp::Read } else { operation }
}

/// CSRRW: replaces the register.
pub(crate) fn csrrw(hart: &mut Hart, step: &Step) -> Outcome {
    access(hart, step, CsrOp::Write(source(hart, step)))
}

/// CSRRS: sets bits.
pub(crate) fn csrrs(hart: &mut Hart, step: &Step) -> Outcome {
    access(hart, step, unless_zero(step, CsrOp::Set(source(hart, step))))
}

/// CSRRC: clears bits.
pub(crate) fn csrrc(hart: &mut Hart, step: &Step) -> Outcome {
    access(hart, step, unless_zero(step, CsrOp::Clear(source(hart, step))))
}

/// CSRRWI.
pub(crate) fn csrrwi(hart: &mut Hart, step: &Step) -> Outcome {
    access(hart, step, CsrOp::Write(immediate(step)))
}

/// CSRRSI.
pub(crate) fn csrrsi(hart: &mut Hart, step: &Step) -> Outcome {
    access(hart, step, unless_zero(step, CsrOp::Set(immediate(step))))
}

/// CSRRCI.
pub(crate) fn csrrci(hart: &mut Hart, step: &Step) -> Outcome {
    access(hart, step, unless_zero(step, CsrOp::Clear(immediate(step))))
}

/// ECALL: a trap that names the mode it comes from.
pub(crate) fn ecall(hart: &mut Hart, _: &Step) -> Outcome {
    let cause = match (hart.privilege, hart.virtualised) {
        (Privilege::Supervisor, true) => Exception::EcallFromVirtualSupervisor,
        (privilege, _) => Exception::ecall_from(privilege),
    };
    Err(Trap::new(cause, 0).into())
}

/// EBREAK: a trap with its own address as the value.
pub(crate) fn ebreak(hart: &mut Hart, _: &Step) -> Outcome {
    Err(Trap::new(Exception::Breakpoint, hart.pc).into())
}

/// MRET.
pub(crate) fn mret(hart: &mut Hart, _: &Step) -> Outcome {
    hart.mret()?;
    Ok(After::Returned)
}

/// SRET.
pub(crate) fn sret(hart: &mut Hart, _: &Step) -> Outcome {
    hart.sret()?;
    Ok(After::Returned)
}

/// WFI.
pub(crate) fn wfi(hart: &mut Hart, _: &Step) -> Outcome {
    Ok(match hart.wfi()? {
        Wait::Proceed => After::Look,
        Wait::Idle => After::Stop(Stop::WaitForInterrupt),
    })
}

/// The values of the registers of a fence, where these are not `x0`.
fn fence_operands(hart: &Hart, step: &Step) -> (Option<u64>, Option<u64>) {
    let given = |register: Register| (register != Register::R0).then(|| hart.x[register.index()]);
    (given(step.rs1), given(step.rs2))
}

/// SFENCE.VMA: translations end, so the next instruction is fetched anew.
pub(crate) fn sfence_vma(hart: &mut Hart, step: &Step) -> Outcome {
    let (va, asid) = fence_operands(hart, step);
    hart.sfence_vma(va, asid)?;
    Ok(After::Fetch)
}

/// HFENCE.VVMA: the same for the guest's own tables.
pub(crate) fn hfence_vvma(hart: &mut Hart, step: &Step) -> Outcome {
    let (va, asid) = fence_operands(hart, step);
    hart.hfence_vvma(va, asid)?;
    Ok(After::Fetch)
}

/// HFENCE.GVMA: the same for the second stage.
pub(crate) fn hfence_gvma(hart: &mut Hart, step: &Step) -> Outcome {
    let (_, vmid) = fence_operands(hart, step);
    hart.hfence_gvma(vmid)?;
    Ok(After::Fetch)
}

/// FENCE.I: the next instruction is fetched anew. Decoded code is always up to date, as a store to
/// it ends the block.
#[allow(clippy::unnecessary_wraps, reason = "one signature for all system instructions")]
pub(crate) fn fence_i(_: &mut Hart, _: &Step) -> Outcome {
    Ok(After::Fetch)
}
