//! Loads and stores of HS mode to a guest's memory, as steps.

use super::exact::{After, Execution, Leave};
use crate::bus::{Ports, Width};
use crate::hart::Hart;
use crate::mmu::Right;

impl Execution<'_> {
    /// A load from a guest's memory.
    #[cold]
    #[inline(never)]
    pub(super) fn guest_load(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        (width, extend): (Width, fn(u64) -> u64),
        right: Right,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            hart.check_guest_access()?;
            let value = hart.load_from_guest(ports, hart.x[step.rs1.index()], width, right)?;
            hart.x[step.rd.index()] = extend(value);
            hart.x[0] = 0;
            Ok(After::Next)
        })
    }

    /// A store to a guest's memory.
    #[cold]
    #[inline(never)]
    pub(super) fn guest_store(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        width: Width,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            hart.check_guest_access()?;
            let (va, value) = (hart.x[step.rs1.index()], hart.x[step.rs2.index()]);
            Ok(hart.store_to_guest(ports, va, width, value)?.into())
        })
    }
}
