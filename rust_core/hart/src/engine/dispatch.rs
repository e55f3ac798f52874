//! The loop that executes the steps of a block.
//!
//! One arm for each operation: which registers it reads and writes, and the function that says
//! what it does. Everything that is not on the fast path leaves through [`Execution`].
//!
//! The page store is held as a slice in a local variable, and taken anew after each way off the
//! fast path: so neither the compiler nor the processor has to look for it at each access.

use super::exact::{Execution, Leave, address};
use super::operation::{Operation, Step};
use crate::bus::{Ports, Width};
use crate::execute::{atomic, bits, branch, float, integer, memory, multiply, system};
use crate::float::{Double, Single};
use crate::hart::Hart;
use crate::mmu::Right;

/// The bytes that a load reads, if the software TLB knows where they are.
#[inline(always)]
fn load<const N: usize>(hart: &Hart, slab: &[u8], step: &Step, width: Width) -> Option<[u8; N]> {
    let offset = hart.fast_load(address(hart, step), width)?;
    slab.get(offset..)?.first_chunk().copied()
}

/// Stores bytes, if the software TLB knows where they go.
#[inline(always)]
fn store<const N: usize>(
    hart: &Hart,
    slab: &mut [u8],
    step: &Step,
    (width, bytes): (Width, [u8; N]),
) -> Option<()> {
    let offset = hart.fast_store(address(hart, step), width)?;
    *slab.get_mut(offset..)?.first_chunk_mut()? = bytes;
    Some(())
}

/// Executes the steps; the cost of all has been charged. Returns the address of the next
/// instruction, or why to leave.
#[inline(always)]
#[allow(clippy::too_many_lines, reason = "a table with one line for each operation")]
pub(super) fn dispatch(
    hart: &mut Hart,
    ports: &mut Ports<'_>,
    Execution { page, source, code, block, count }: Execution<'_>,
) -> Result<u64, Leave> {
    let steps = code.steps(block, count);
    let mut slab = ports.memory.store.bytes_mut();
    for step in steps {
        /// Does something off the fast path.
        macro_rules! slowly {
            ($method:ident $(, $argument:expr)*) => {{
                let number = position(steps, step);
                let execution = Execution { page, source, code, block, count };
                execution.$method(hart, ports, number $(, $argument)*)?;
                slab = ports.memory.store.bytes_mut();
            }};
        }
        macro_rules! unary {
            ($function:path) => {
                hart.x[step.rd.index()] = $function(hart.x[step.rs1.index()])
            };
        }
        macro_rules! binary {
            ($function:path) => {
                hart.x[step.rd.index()] =
                    $function(hart.x[step.rs1.index()], hart.x[step.rs2.index()])
            };
        }
        macro_rules! immediate {
            ($function:path) => {
                hart.x[step.rd.index()] = $function(hart.x[step.rs1.index()], step.imm as u64)
            };
        }
        macro_rules! branch {
            ($function:path) => {
                if $function(hart.x[step.rs1.index()], hart.x[step.rs2.index()]) {
                    if step.is_inside() {
                        let execution = Execution { page, source, code, block, count };
                        execution.refund(hart, position(steps, step));
                    }
                    return Ok(page.wrapping_add_signed(step.imm));
                }
            };
        }
        macro_rules! load {
            ($width:ident, $type:ty, $extend:path) => {
                match load(hart, slab, step, Width::$width) {
                    Some(bytes) => {
                        hart.x[step.rd.index()] = $extend(u64::from(<$type>::from_le_bytes(bytes)));
                        hart.x[0] = 0;
                    }
                    None => slowly!(load, Width::$width, $extend),
                }
            };
        }
        macro_rules! store {
            ($width:ident, $type:ty) => {{
                let bytes = (hart.x[step.rs2.index()] as $type).to_le_bytes();
                if store(hart, slab, step, (Width::$width, bytes)).is_none() {
                    slowly!(store, Width::$width);
                }
            }};
        }
        macro_rules! float_load {
            ($width:ident, $type:ty, $extend:path) => {
                if float::require_on(hart).is_err() {
                    slowly!(illegal);
                } else {
                    match load(hart, slab, step, Width::$width) {
                        Some(bytes) => {
                            let raw = u64::from(<$type>::from_le_bytes(bytes));
                            float::write(hart, step.rd, $extend(raw));
                        }
                        None => slowly!(float_load, Width::$width, $extend),
                    }
                }
            };
        }
        macro_rules! float_store {
            ($width:ident, $type:ty) => {
                if float::require_on(hart).is_err() {
                    slowly!(illegal);
                } else {
                    let bytes = (hart.f[step.rs2.index()] as $type).to_le_bytes();
                    if store(hart, slab, step, (Width::$width, bytes)).is_none() {
                        slowly!(float_store, Width::$width);
                    }
                }
            };
        }
        macro_rules! float {
            ($function:path) => {
                if $function(hart, step).is_err() {
                    slowly!(illegal);
                }
            };
        }
        macro_rules! system {
            ($function:path) => {
                slowly!(system, $function)
            };
        }
        macro_rules! amo {
            (Word, $change:path) => {
                slowly!(amo, (Width::Word, memory::lw), $change)
            };
            (Double, $change:path) => {
                slowly!(amo, (Width::Double, memory::plain), $change)
            };
        }
        macro_rules! guest_load {
            ($width:ident, $extend:path, $right:path) => {
                slowly!(guest_load, (Width::$width, $extend), $right)
            };
        }
        match step.operation {
            Operation::Illegal => slowly!(illegal),
            Operation::Nothing | Operation::Fence => {}
            Operation::LoadImmediate | Operation::Lui => hart.x[step.rd.index()] = step.imm as u64,
            Operation::Move => hart.x[step.rd.index()] = hart.x[step.rs1.index()],
            Operation::Auipc => hart.x[step.rd.index()] = page.wrapping_add_signed(step.imm),

            Operation::Goto => return Ok(page.wrapping_add_signed(step.imm)),
            Operation::GotoRegister => return Ok(address(hart, step) & !1),
            Operation::Jal => {
                link(hart, step, page);
                return Ok(page.wrapping_add_signed(step.imm));
            }
            Operation::Jalr => {
                let target = address(hart, step) & !1;
                link(hart, step, page);
                return Ok(target);
            }
            Operation::Beq => branch!(branch::beq),
            Operation::Bne => branch!(branch::bne),
            Operation::Blt => branch!(branch::blt),
            Operation::Bge => branch!(branch::bge),
            Operation::Bltu => branch!(branch::bltu),
            Operation::Bgeu => branch!(branch::bgeu),

            Operation::Lb => load!(Byte, u8, memory::lb),
            Operation::Lh => load!(Half, u16, memory::lh),
            Operation::Lw => load!(Word, u32, memory::lw),
            Operation::Ld => load!(Double, u64, memory::plain),
            Operation::Lbu => load!(Byte, u8, memory::plain),
            Operation::Lhu => load!(Half, u16, memory::plain),
            Operation::Lwu => load!(Word, u32, memory::plain),
            Operation::Sb => store!(Byte, u8),
            Operation::Sh => store!(Half, u16),
            Operation::Sw => store!(Word, u32),
            Operation::Sd => store!(Double, u64),

            Operation::Addi => immediate!(integer::add),
            Operation::Slti => immediate!(integer::slt),
            Operation::Sltiu => immediate!(integer::sltu),
            Operation::Xori => immediate!(integer::xor),
            Operation::Ori => immediate!(integer::or),
            Operation::Andi => immediate!(integer::and),
            Operation::Slli => immediate!(integer::sll),
            Operation::Srli => immediate!(integer::srl),
            Operation::Srai => immediate!(integer::sra),
            Operation::Add => binary!(integer::add),
            Operation::Sub => binary!(integer::sub),
            Operation::Sll => binary!(integer::sll),
            Operation::Slt => binary!(integer::slt),
            Operation::Sltu => binary!(integer::sltu),
            Operation::Xor => binary!(integer::xor),
            Operation::Srl => binary!(integer::srl),
            Operation::Sra => binary!(integer::sra),
            Operation::Or => binary!(integer::or),
            Operation::And => binary!(integer::and),
            Operation::Addiw => immediate!(integer::addw),
            Operation::Slliw => immediate!(integer::sllw),
            Operation::Srliw => immediate!(integer::srlw),
            Operation::Sraiw => immediate!(integer::sraw),
            Operation::Addw => binary!(integer::addw),
            Operation::Subw => binary!(integer::subw),
            Operation::Sllw => binary!(integer::sllw),
            Operation::Srlw => binary!(integer::srlw),
            Operation::Sraw => binary!(integer::sraw),

            Operation::Mul => binary!(multiply::mul),
            Operation::Mulh => binary!(multiply::mulh),
            Operation::Mulhsu => binary!(multiply::mulhsu),
            Operation::Mulhu => binary!(multiply::mulhu),
            Operation::Div => binary!(multiply::div),
            Operation::Divu => binary!(multiply::divu),
            Operation::Rem => binary!(multiply::rem),
            Operation::Remu => binary!(multiply::remu),
            Operation::Mulw => binary!(multiply::mulw),
            Operation::Divw => binary!(multiply::divw),
            Operation::Divuw => binary!(multiply::divuw),
            Operation::Remw => binary!(multiply::remw),
            Operation::Remuw => binary!(multiply::remuw),

            Operation::AddUw => binary!(bits::add_uw),
            Operation::Sh1add => binary!(bits::sh1add),
            Operation::Sh2add => binary!(bits::sh2add),
            Operation::Sh3add => binary!(bits::sh3add),
            Operation::Sh1addUw => binary!(bits::sh1add_uw),
            Operation::Sh2addUw => binary!(bits::sh2add_uw),
            Operation::Sh3addUw => binary!(bits::sh3add_uw),
            Operation::SlliUw => immediate!(bits::slli_uw),
            Operation::Andn => binary!(bits::andn),
            Operation::Orn => binary!(bits::orn),
            Operation::Xnor => binary!(bits::xnor),
            Operation::Clz => unary!(bits::clz),
            Operation::Ctz => unary!(bits::ctz),
            Operation::Cpop => unary!(bits::cpop),
            Operation::Clzw => unary!(bits::clzw),
            Operation::Ctzw => unary!(bits::ctzw),
            Operation::Cpopw => unary!(bits::cpopw),
            Operation::Min => binary!(bits::min),
            Operation::Minu => binary!(bits::minu),
            Operation::Max => binary!(bits::max),
            Operation::Maxu => binary!(bits::maxu),
            Operation::SextB => unary!(bits::sext_b),
            Operation::SextH => unary!(bits::sext_h),
            Operation::ZextH => unary!(bits::zext_h),
            Operation::Rol => binary!(bits::rol),
            Operation::Ror => binary!(bits::ror),
            Operation::Rori => immediate!(bits::ror),
            Operation::Rolw => binary!(bits::rolw),
            Operation::Rorw => binary!(bits::rorw),
            Operation::Roriw => immediate!(bits::rorw),
            Operation::OrcB => unary!(bits::orc_b),
            Operation::Rev8 => unary!(bits::rev8),
            Operation::Bclr => binary!(bits::bclr),
            Operation::Bclri => immediate!(bits::bclr),
            Operation::Bext => binary!(bits::bext),
            Operation::Bexti => immediate!(bits::bext),
            Operation::Binv => binary!(bits::binv),
            Operation::Binvi => immediate!(bits::binv),
            Operation::Bset => binary!(bits::bset),
            Operation::Bseti => immediate!(bits::bset),

            Operation::LrW => slowly!(load_reserved, (Width::Word, memory::lw)),
            Operation::ScW => slowly!(store_conditional, Width::Word),
            Operation::AmoswapW => amo!(Word, atomic::swap),
            Operation::AmoaddW => amo!(Word, atomic::add),
            Operation::AmoxorW => amo!(Word, atomic::xor),
            Operation::AmoandW => amo!(Word, atomic::and),
            Operation::AmoorW => amo!(Word, atomic::or),
            Operation::AmominW => amo!(Word, atomic::min_w),
            Operation::AmomaxW => amo!(Word, atomic::max_w),
            Operation::AmominuW => amo!(Word, atomic::minu_w),
            Operation::AmomaxuW => amo!(Word, atomic::maxu_w),
            Operation::LrD => slowly!(load_reserved, (Width::Double, memory::plain)),
            Operation::ScD => slowly!(store_conditional, Width::Double),
            Operation::AmoswapD => amo!(Double, atomic::swap),
            Operation::AmoaddD => amo!(Double, atomic::add),
            Operation::AmoxorD => amo!(Double, atomic::xor),
            Operation::AmoandD => amo!(Double, atomic::and),
            Operation::AmoorD => amo!(Double, atomic::or),
            Operation::AmominD => amo!(Double, atomic::min_d),
            Operation::AmomaxD => amo!(Double, atomic::max_d),
            Operation::AmominuD => amo!(Double, atomic::minu_d),
            Operation::AmomaxuD => amo!(Double, atomic::maxu_d),

            Operation::Flw => float_load!(Word, u32, memory::flw),
            Operation::Fsw => float_store!(Word, u32),
            Operation::FmaddS => float!(float::madd::<Single>),
            Operation::FmsubS => float!(float::msub::<Single>),
            Operation::FnmsubS => float!(float::nmsub::<Single>),
            Operation::FnmaddS => float!(float::nmadd::<Single>),
            Operation::FaddS => float!(float::add::<Single>),
            Operation::FsubS => float!(float::sub::<Single>),
            Operation::FmulS => float!(float::mul::<Single>),
            Operation::FdivS => float!(float::div::<Single>),
            Operation::FsqrtS => float!(float::sqrt::<Single>),
            Operation::FsgnjS => float!(float::sgnj::<Single>),
            Operation::FsgnjnS => float!(float::sgnjn::<Single>),
            Operation::FsgnjxS => float!(float::sgnjx::<Single>),
            Operation::FminS => float!(float::min::<Single>),
            Operation::FmaxS => float!(float::max::<Single>),
            Operation::FleS => float!(float::le::<Single>),
            Operation::FltS => float!(float::lt::<Single>),
            Operation::FeqS => float!(float::eq::<Single>),
            Operation::FcvtWS => float!(float::to_w::<Single>),
            Operation::FcvtWuS => float!(float::to_wu::<Single>),
            Operation::FcvtLS => float!(float::to_l::<Single>),
            Operation::FcvtLuS => float!(float::to_lu::<Single>),
            Operation::FcvtSW => float!(float::from_w::<Single>),
            Operation::FcvtSWu => float!(float::from_wu::<Single>),
            Operation::FcvtSL => float!(float::from_l::<Single>),
            Operation::FcvtSLu => float!(float::from_lu::<Single>),
            Operation::FmvXW => float!(float::move_word_to_integer),
            Operation::FclassS => float!(float::class::<Single>),
            Operation::FmvWX => float!(float::move_from_integer::<Single>),

            Operation::Fld => float_load!(Double, u64, memory::plain),
            Operation::Fsd => float_store!(Double, u64),
            Operation::FmaddD => float!(float::madd::<Double>),
            Operation::FmsubD => float!(float::msub::<Double>),
            Operation::FnmsubD => float!(float::nmsub::<Double>),
            Operation::FnmaddD => float!(float::nmadd::<Double>),
            Operation::FaddD => float!(float::add::<Double>),
            Operation::FsubD => float!(float::sub::<Double>),
            Operation::FmulD => float!(float::mul::<Double>),
            Operation::FdivD => float!(float::div::<Double>),
            Operation::FsqrtD => float!(float::sqrt::<Double>),
            Operation::FsgnjD => float!(float::sgnj::<Double>),
            Operation::FsgnjnD => float!(float::sgnjn::<Double>),
            Operation::FsgnjxD => float!(float::sgnjx::<Double>),
            Operation::FminD => float!(float::min::<Double>),
            Operation::FmaxD => float!(float::max::<Double>),
            Operation::FleD => float!(float::le::<Double>),
            Operation::FltD => float!(float::lt::<Double>),
            Operation::FeqD => float!(float::eq::<Double>),
            Operation::FcvtSD => float!(float::single_from_double),
            Operation::FcvtDS => float!(float::double_from_single),
            Operation::FcvtWD => float!(float::to_w::<Double>),
            Operation::FcvtWuD => float!(float::to_wu::<Double>),
            Operation::FcvtLD => float!(float::to_l::<Double>),
            Operation::FcvtLuD => float!(float::to_lu::<Double>),
            Operation::FcvtDW => float!(float::from_w::<Double>),
            Operation::FcvtDWu => float!(float::from_wu::<Double>),
            Operation::FcvtDL => float!(float::from_l::<Double>),
            Operation::FcvtDLu => float!(float::from_lu::<Double>),
            Operation::FmvXD => float!(float::move_to_integer),
            Operation::FclassD => float!(float::class::<Double>),
            Operation::FmvDX => float!(float::move_from_integer::<Double>),

            Operation::Csrrw => system!(system::csrrw),
            Operation::Csrrs => system!(system::csrrs),
            Operation::Csrrc => system!(system::csrrc),
            Operation::Csrrwi => system!(system::csrrwi),
            Operation::Csrrsi => system!(system::csrrsi),
            Operation::Csrrci => system!(system::csrrci),
            Operation::FenceI => system!(system::fence_i),
            Operation::Ecall => system!(system::ecall),
            Operation::Ebreak => system!(system::ebreak),
            Operation::Sret => system!(system::sret),
            Operation::Mret => system!(system::mret),
            Operation::Wfi => system!(system::wfi),
            Operation::SfenceVma => system!(system::sfence_vma),

            Operation::HlvB => guest_load!(Byte, memory::lb, Right::Read),
            Operation::HlvBu => guest_load!(Byte, memory::plain, Right::Read),
            Operation::HlvH => guest_load!(Half, memory::lh, Right::Read),
            Operation::HlvHu => guest_load!(Half, memory::plain, Right::Read),
            Operation::HlvxHu => guest_load!(Half, memory::plain, Right::Execute),
            Operation::HlvW => guest_load!(Word, memory::lw, Right::Read),
            Operation::HlvWu => guest_load!(Word, memory::plain, Right::Read),
            Operation::HlvxWu => guest_load!(Word, memory::plain, Right::Execute),
            Operation::HlvD => guest_load!(Double, memory::plain, Right::Read),
            Operation::HsvB => slowly!(guest_store, Width::Byte),
            Operation::HsvH => slowly!(guest_store, Width::Half),
            Operation::HsvW => slowly!(guest_store, Width::Word),
            Operation::HsvD => slowly!(guest_store, Width::Double),
            Operation::HfenceVvma => system!(system::hfence_vvma),
            Operation::HfenceGvma => system!(system::hfence_gvma),
        }
    }
    Ok(steps.last().map_or(page, |step| page.wrapping_add(step.place.end())))
}

/// The number of a step among the steps that it is one of.
#[inline(always)]
fn position(steps: &[Step], step: &Step) -> usize {
    // Counting along in the loop would cost every step an instruction.
    (std::ptr::from_ref(step).addr() - steps.as_ptr().addr()) / size_of::<Step>()
}

/// Writes the return address of a jump.
#[inline(always)]
fn link(hart: &mut Hart, step: &Step, page: u64) {
    hart.x[step.rd.index()] = page.wrapping_add(step.place.end());
    hart.x[0] = 0;
}
