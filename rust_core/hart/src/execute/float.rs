//! The F and D extensions: registers, rounding modes and flags around the arithmetic.
//!
//! A single-precision value stands in a register with all upper bits set; an operand that does not
//! is the canonical NaN (unprivileged specification, "NaN Boxing of Narrower Values"). Every
//! instruction is illegal while `mstatus.FS` is off; changing a register or a flag makes the
//! state dirty (privileged specification, "Extension Context Status").

use crate::csr::fields::status;
use crate::engine::Step;
use crate::float::{self, Double, Flags, Format, RoundingMode, Single};
use crate::hart::Hart;
use crate::isa::Register;

/// The instruction is illegal in the present state.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Illegal;

type Done = Result<(), Illegal>;

/// The immediate of an instruction that takes its rounding mode from `frm`.
const DYNAMIC: i64 = 7;

/// How a format stands in a register.
pub(crate) trait InRegister: Format {
    /// The value in a register.
    fn unbox(register: u64) -> Self::Bits;
    /// The register that holds a value.
    fn boxed(value: Self::Bits) -> u64;
}

impl InRegister for Single {
    #[inline(always)]
    fn unbox(register: u64) -> u32 {
        float::unbox_single(register)
    }

    #[inline(always)]
    fn boxed(value: u32) -> u64 {
        float::box_single(value)
    }
}

impl InRegister for Double {
    #[inline(always)]
    fn unbox(register: u64) -> u64 {
        register
    }

    #[inline(always)]
    fn boxed(value: u64) -> u64 {
        value
    }
}

/// Refuses while the floating-point unit is off.
#[inline(always)]
pub(crate) fn require_on(hart: &Hart) -> Done {
    if hart.csrs.mstatus & status::FS == 0 { Err(Illegal) } else { Ok(()) }
}

/// Writes a floating-point register.
#[inline(always)]
pub(crate) fn write(hart: &mut Hart, rd: Register, value: u64) {
    hart.f[rd.index()] = value;
    hart.csrs.mstatus |= status::FS;
}

#[inline(always)]
fn read<F: InRegister>(hart: &Hart, register: Register) -> F::Bits {
    F::unbox(hart.f[register.index()])
}

/// The rounding mode of an instruction; reserved ones are illegal.
#[inline(always)]
fn rounding(hart: &Hart, step: &Step) -> Result<RoundingMode, Illegal> {
    let bits = if step.imm == DYNAMIC { hart.csrs.frm } else { step.imm as u8 };
    RoundingMode::from_bits(bits).ok_or(Illegal)
}

/// Accrues flags of an instruction that writes no floating-point register.
#[inline(always)]
fn accrue(hart: &mut Hart, flags: Flags) {
    if flags.bits() != hart.csrs.fflags {
        hart.csrs.fflags = flags.bits();
        hart.csrs.mstatus |= status::FS;
    }
}

/// An instruction that rounds its result into a register.
#[inline(always)]
fn rounded<F: InRegister>(
    hart: &mut Hart,
    step: &Step,
    operation: impl FnOnce(&Hart, RoundingMode, &mut Flags) -> F::Bits,
) -> Done {
    require_on(hart)?;
    let rounding = rounding(hart, step)?;
    let mut flags = Flags::from_bits(hart.csrs.fflags);
    let value = operation(hart, rounding, &mut flags);
    hart.csrs.fflags = flags.bits();
    write(hart, step.rd, F::boxed(value));
    Ok(())
}

/// FADD: the sum.
pub(crate) fn add<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::add::<F>(read::<F>(hart, step.rs1), read::<F>(hart, step.rs2), rounding, flags)
    })
}

/// FSUB: the difference.
pub(crate) fn sub<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::sub::<F>(read::<F>(hart, step.rs1), read::<F>(hart, step.rs2), rounding, flags)
    })
}

/// FMUL: the product.
pub(crate) fn mul<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::mul::<F>(read::<F>(hart, step.rs1), read::<F>(hart, step.rs2), rounding, flags)
    })
}

/// FDIV: the quotient.
pub(crate) fn div<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::div::<F>(read::<F>(hart, step.rs1), read::<F>(hart, step.rs2), rounding, flags)
    })
}

/// FSQRT: the square root.
pub(crate) fn sqrt<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::sqrt::<F>(read::<F>(hart, step.rs1), rounding, flags)
    })
}

/// The four fused instructions: the product, negated or not, plus the third source, negated or not.
#[inline(always)]
fn fused<F: InRegister>(hart: &mut Hart, step: &Step, product: bool, addend: bool) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        let signed = |negative, value| if negative { float::negate::<F>(value) } else { value };
        let a = signed(product, read::<F>(hart, step.rs1));
        let b = read::<F>(hart, step.rs2);
        let c = signed(addend, read::<F>(hart, step.rs3));
        float::mul_add::<F>(a, b, c, rounding, flags)
    })
}

/// FMADD: a * b + c.
pub(crate) fn madd<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    fused::<F>(hart, step, false, false)
}

/// FMSUB: a * b - c.
pub(crate) fn msub<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    fused::<F>(hart, step, false, true)
}

/// FNMSUB: -(a * b) + c.
pub(crate) fn nmsub<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    fused::<F>(hart, step, true, false)
}

/// FNMADD: -(a * b) - c.
pub(crate) fn nmadd<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    fused::<F>(hart, step, true, true)
}

/// An instruction on two values that does not round; it may raise flags.
#[inline(always)]
fn exact<F: InRegister>(
    hart: &mut Hart,
    step: &Step,
    operation: impl FnOnce(F::Bits, F::Bits, &mut Flags) -> F::Bits,
) -> Done {
    require_on(hart)?;
    let mut flags = Flags::from_bits(hart.csrs.fflags);
    let value = operation(read::<F>(hart, step.rs1), read::<F>(hart, step.rs2), &mut flags);
    hart.csrs.fflags = flags.bits();
    write(hart, step.rd, F::boxed(value));
    Ok(())
}

/// FMIN: the lesser.
pub(crate) fn min<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    exact::<F>(hart, step, float::minimum::<F>)
}

/// FMAX: the greater.
pub(crate) fn max<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    exact::<F>(hart, step, float::maximum::<F>)
}

/// The sign-injection instructions: the first source under a sign made from both.
#[inline(always)]
fn with_sign<F: InRegister>(hart: &mut Hart, step: &Step, sign: impl Fn(u64, u64) -> u64) -> Done {
    exact::<F>(hart, step, |a, b, _| {
        let (a, b): (u64, u64) = (a.into(), b.into());
        F::from_raw(a & !F::SIGN | sign(a, b) & F::SIGN)
    })
}

/// FSGNJ: with the sign of the second.
pub(crate) fn sgnj<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    with_sign::<F>(hart, step, |_, b| b)
}

/// FSGNJN: with the opposite of the sign of the second.
pub(crate) fn sgnjn<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    with_sign::<F>(hart, step, |_, b| !b)
}

/// FSGNJX: with the exclusive or of both signs.
pub(crate) fn sgnjx<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    with_sign::<F>(hart, step, |a, b| a ^ b)
}

/// An instruction with an integer result that may raise flags.
#[inline(always)]
fn to_integer(
    hart: &mut Hart,
    step: &Step,
    operation: impl FnOnce(&Hart, &mut Flags) -> Result<u64, Illegal>,
) -> Done {
    require_on(hart)?;
    let mut flags = Flags::from_bits(hart.csrs.fflags);
    hart.x[step.rd.index()] = operation(hart, &mut flags)?;
    hart.x[0] = 0;
    accrue(hart, flags);
    Ok(())
}

#[inline(always)]
fn compare<F: InRegister>(
    hart: &mut Hart,
    step: &Step,
    relation: impl FnOnce(F::Bits, F::Bits, &mut Flags) -> bool,
) -> Done {
    to_integer(hart, step, |hart, flags| {
        let (a, b) = (read::<F>(hart, step.rs1), read::<F>(hart, step.rs2));
        Ok(u64::from(relation(a, b, flags)))
    })
}

/// FLE: 1 if less or equal.
pub(crate) fn le<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    compare::<F>(hart, step, float::less_equal::<F>)
}

/// FLT: 1 if less.
pub(crate) fn lt<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    compare::<F>(hart, step, float::less::<F>)
}

/// FEQ: 1 if equal.
pub(crate) fn eq<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    compare::<F>(hart, step, float::equal::<F>)
}

/// FCLASS: one bit for the class of the value.
pub(crate) fn class<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    to_integer(hart, step, |hart, _| Ok(float::classify::<F>(read::<F>(hart, step.rs1))))
}

/// FCVT.W: to a signed word.
pub(crate) fn to_w<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    to_integer(hart, step, |hart, flags| {
        let value = read::<F>(hart, step.rs1);
        Ok(float::to_i32::<F>(value, rounding(hart, step)?, flags) as u64)
    })
}

/// FCVT.WU: to an unsigned word, which is sign-extended all the same.
pub(crate) fn to_wu<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    to_integer(hart, step, |hart, flags| {
        let value = read::<F>(hart, step.rs1);
        Ok(float::to_u32::<F>(value, rounding(hart, step)?, flags) as i32 as u64)
    })
}

/// FCVT.L: to a signed doubleword.
pub(crate) fn to_l<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    to_integer(hart, step, |hart, flags| {
        let value = read::<F>(hart, step.rs1);
        Ok(float::to_i64::<F>(value, rounding(hart, step)?, flags) as u64)
    })
}

/// FCVT.LU: to an unsigned doubleword.
pub(crate) fn to_lu<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    to_integer(hart, step, |hart, flags| {
        let value = read::<F>(hart, step.rs1);
        Ok(float::to_u64::<F>(value, rounding(hart, step)?, flags))
    })
}

/// FCVT from a signed word.
pub(crate) fn from_w<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::from_i32::<F>(hart.x[step.rs1.index()] as i32, rounding, flags)
    })
}

/// FCVT from an unsigned word.
pub(crate) fn from_wu<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::from_u32::<F>(hart.x[step.rs1.index()] as u32, rounding, flags)
    })
}

/// FCVT from a signed doubleword.
pub(crate) fn from_l<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::from_i64::<F>(hart.x[step.rs1.index()] as i64, rounding, flags)
    })
}

/// FCVT from an unsigned doubleword.
pub(crate) fn from_lu<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    rounded::<F>(hart, step, |hart, rounding, flags| {
        float::from_u64::<F>(hart.x[step.rs1.index()], rounding, flags)
    })
}

/// FCVT.S.D: to single precision.
pub(crate) fn single_from_double(hart: &mut Hart, step: &Step) -> Done {
    rounded::<Single>(hart, step, |hart, rounding, flags| {
        float::double_to_single(hart.f[step.rs1.index()], rounding, flags)
    })
}

/// FCVT.D.S: to double precision, which is exact.
pub(crate) fn double_from_single(hart: &mut Hart, step: &Step) -> Done {
    rounded::<Double>(hart, step, |hart, _, flags| {
        float::single_to_double(read::<Single>(hart, step.rs1), flags)
    })
}

/// FMV.X.W: the low word, boxed or not, sign-extended.
pub(crate) fn move_word_to_integer(hart: &mut Hart, step: &Step) -> Done {
    to_integer(hart, step, |hart, _| Ok(hart.f[step.rs1.index()] as i32 as u64))
}

/// FMV.X.D: the bits of the register.
pub(crate) fn move_to_integer(hart: &mut Hart, step: &Step) -> Done {
    to_integer(hart, step, |hart, _| Ok(hart.f[step.rs1.index()]))
}

/// FMV.W.X, FMV.D.X: the bits of an integer register.
pub(crate) fn move_from_integer<F: InRegister>(hart: &mut Hart, step: &Step) -> Done {
    require_on(hart)?;
    let bits = hart.x[step.rs1.index()] & F::SIGN | hart.x[step.rs1.index()] & (F::SIGN - 1);
    write(hart, step.rd, F::boxed(F::from_raw(bits)));
    Ok(())
}
