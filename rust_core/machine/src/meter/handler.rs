//! The primitives of a handler.

use super::{Assumption, Primitive};
use crate::assumed;
use dcsim_hart::csr::fields::hypervisor_status;
use dcsim_hart::isa::Register;
use dcsim_hart::{Bus, BusError, CsrOp, Hart, NoDevices, Ports, Privilege, Right, Width};
use dcsim_memory::{Memory, MemoryError, PAGE_BYTES, PhysicalAddress};

/// A handler's access to the hart it plays a mode of, and to that hart's machine.
///
/// Memory accesses are physical. They go past the data-cache model: handlers' data is assumed to
/// hit. A value in a guest's integer register was saved at entry, so reading one is a load and
/// writing one a store.
pub struct Meter<'a> {
    hart: &'a mut Hart,
    memory: Memory<'a>,
    bus: Option<&'a mut dyn Bus>,
}

impl std::fmt::Debug for Meter<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Meter")
            .field("hart", &self.hart.id)
            .field("cycles", &self.hart.clock.cycles)
            .finish_non_exhaustive()
    }
}

/// The hart.
impl<'a> Meter<'a> {
    /// A meter for a handler that needs no devices.
    pub fn new(hart: &'a mut Hart, memory: Memory<'a>) -> Self {
        Self { hart, memory, bus: None }
    }

    /// A meter for a handler that may reach devices.
    pub fn with_bus(hart: &'a mut Hart, memory: Memory<'a>, bus: &'a mut dyn Bus) -> Self {
        Self { hart, memory, bus: Some(bus) }
    }

    /// Charges a primitive `count` times, and does nothing else.
    pub fn charge(&mut self, primitive: Primitive, count: u64) {
        self.hart.clock.cycles += primitive.cycles(self.hart.timing()).saturating_mul(count);
    }

    /// The number of the hart.
    pub fn hart_id(&self) -> usize {
        self.hart.id
    }

    /// Begins a handler: frees a register and saves the others.
    pub fn enter(&mut self) {
        self.charge(Primitive::SaveRegisters, 1);
    }

    /// Ends a handler: restores the registers and returns from the mode that it plays, with MRET
    /// from machine mode and SRET from supervisor mode.
    pub fn leave(&mut self) {
        self.charge(Primitive::RestoreRegisters, 1);
        self.return_from_trap();
    }

    /// Executes the return instruction of the current mode. The hart charges its latency; in user
    /// mode, which no handler plays, nothing happens.
    fn return_from_trap(&mut self) {
        let latency = self.hart.timing().return_cycles;
        let instruction = Primitive::Return.cycles(self.hart.timing()) - latency;
        self.hart.clock.cycles += instruction;
        // The return instruction of the current mode is legal in it.
        let _ = match self.hart.privilege {
            Privilege::Machine => self.hart.mret(),
            Privilege::Supervisor => self.hart.sret(),
            Privilege::User => Ok(()),
        };
    }

    /// Reads an integer register of the interrupted program.
    pub fn read_register(&mut self, register: Register) -> u64 {
        self.charge(Primitive::Load, 1);
        self.hart.x[register as usize]
    }

    /// Writes an integer register of the interrupted program; the zero register stays zero.
    pub fn write_register(&mut self, register: Register, value: u64) {
        self.charge(Primitive::Store, 1);
        if register != Register::R0 {
            self.hart.x[register as usize] = value;
        }
    }

    /// Reads a floating-point register of the interrupted program, where it still is: a move.
    pub fn read_float_register(&mut self, register: Register) -> u64 {
        self.charge(Primitive::Alu, 1);
        self.hart.f[register as usize]
    }

    /// Writes a floating-point register of the interrupted program.
    pub fn write_float_register(&mut self, register: Register, value: u64) {
        self.charge(Primitive::Alu, 1);
        self.hart.f[register as usize] = value;
    }

    /// Reads a control and status register with the rights of machine mode. A register that does
    /// not exist reads as zero.
    pub fn read_csr(&mut self, number: u16) -> u64 {
        self.charge(Primitive::CsrRead, 1);
        self.hart.read_csr(number).unwrap_or(0)
    }

    /// Writes a control and status register with the rights of machine mode. A register that does
    /// not exist, or is read-only, stays as it is.
    pub fn write_csr(&mut self, number: u16, value: u64) {
        self.charge(Primitive::CsrWrite, 1);
        self.hart.write_csr(number, value);
    }

    /// Sets bits of a control and status register, as CSRRS in the current mode: what a device
    /// line shows in `mip` does not stick.
    pub fn set_csr(&mut self, number: u16, bits: u64) {
        self.change_csr(number, CsrOp::Set(bits));
    }

    /// Clears bits of a control and status register, as CSRRC in the current mode.
    pub fn clear_csr(&mut self, number: u16, bits: u64) {
        self.change_csr(number, CsrOp::Clear(bits));
    }

    fn change_csr(&mut self, number: u16, op: CsrOp) {
        self.charge(Primitive::CsrWrite, 1);
        // An access that the mode may not make changes nothing.
        let _ = self.hart.csr_access(number, op);
    }

    /// Ends all cached translations, those of guests of the hypervisor extension included, which
    /// take a fence of their own.
    pub fn flush_tlb_all(&mut self) {
        self.charge(Primitive::TlbFlush, 1);
        self.hart.flush_translations(None, None);
        if self.hart.profile().has_hypervisor() {
            self.flush_second_stage();
        }
    }

    /// Ends all cached translations because another hart asked for it: an interrupt, whose handler does
    /// that and goes back to what was interrupted.
    pub fn serve_shootdown(&mut self) {
        self.charge(Primitive::Trap, 1);
        self.charge(Primitive::SaveRegisters, 1);
        self.flush_tlb_all();
        self.charge(Primitive::RestoreRegisters, 1);
        self.charge(Primitive::Return, 1);
    }

    /// Ends the cached translations of an address in an address space.
    pub fn flush_tlb_page(&mut self, address: u64, asid: u16) {
        self.flush(Some(address), Some(asid));
    }

    /// Ends the cached translations of an address in all address spaces.
    pub fn flush_tlb_address(&mut self, address: u64) {
        self.flush(Some(address), None);
    }

    /// Ends the cached translations of an address space.
    pub fn flush_tlb_asid(&mut self, asid: u16) {
        self.flush(None, Some(asid));
    }

    /// A fence for the interrupted program: HFENCE.VVMA if that is a guest of the hypervisor
    /// extension, SFENCE.VMA otherwise.
    fn flush(&mut self, address: Option<u64>, asid: Option<u16>) {
        if self.hart.csrs.hstatus & hypervisor_status::SPV != 0 {
            return self.flush_guest(address, asid);
        }
        self.charge(Primitive::TlbFlush, 1);
        self.hart.flush_translations(address, asid);
    }

    /// Ends the cached translations of the current guest, as HFENCE.VVMA: all of them, or those of
    /// an address, of an address space, or of both.
    pub fn flush_guest(&mut self, address: Option<u64>, asid: Option<u16>) {
        self.charge(Primitive::TlbFlush, 1);
        self.hart.flush_guest_translations(address, asid);
    }

    /// Ends the cached translations of all guests, as HFENCE.GVMA.
    pub fn flush_second_stage(&mut self) {
        self.charge(Primitive::TlbFlush, 1);
        self.hart.flush_second_stage(None);
    }

    /// Ends the cached translations of one guest, as HFENCE.GVMA with its identifier.
    pub fn flush_machine(&mut self, vmid: u16) {
        self.charge(Primitive::TlbFlush, 1);
        self.hart.flush_second_stage(Some(vmid));
    }

    /// Fences of translations that somebody else carries out: only their cost is left.
    pub fn account_fences(&mut self, count: u64) {
        self.charge(Primitive::TlbFlush, count);
    }

    /// Loads two bytes of the current guest's code, as HLVX.HU: translated as the guest's fetch
    /// would be, walks included. `None` if the guest could not fetch them.
    pub fn load_guest_code(&mut self, address: u64) -> Option<u16> {
        self.charge(Primitive::Load, 1);
        let mut ports = Ports { memory: self.memory.reborrow(), bus: &mut NoDevices };
        self.hart.begin_run(&ports);
        let loaded = self.hart.load_from_guest(&mut ports, address, Width::Half, Right::Execute);
        loaded.ok().map(|half| half as u16)
    }

    /// Makes code that was written before visible to fetches. Engines see new code at once, so
    /// only the cost is left.
    pub fn flush_instructions(&mut self) {
        self.charge(Primitive::TlbFlush, 1);
    }
}

/// Memory and devices.
impl Meter<'_> {
    /// Loads eight bytes of memory.
    pub fn load(&mut self, address: PhysicalAddress) -> Result<u64, MemoryError> {
        self.charge(Primitive::Load, 1);
        self.memory.read_u64(address)
    }

    /// Stores eight bytes to memory.
    pub fn store(&mut self, address: PhysicalAddress, value: u64) -> Result<(), MemoryError> {
        self.charge(Primitive::Store, 1);
        self.memory.write_u64(address, value)
    }

    /// Loads a page-table entry.
    pub fn read_pte(&mut self, address: PhysicalAddress) -> Result<u64, MemoryError> {
        self.load(address)
    }

    /// Stores a page-table entry.
    pub fn write_pte(&mut self, address: PhysicalAddress, entry: u64) -> Result<(), MemoryError> {
        self.store(address, entry)
    }

    /// Clears the page that begins at an address.
    pub fn clear_page(&mut self, address: PhysicalAddress) -> Result<(), MemoryError> {
        self.charge(Primitive::ClearPage, 1);
        self.memory.write(address, &[0; PAGE_BYTES])
    }

    /// Copies the page that begins at an address to another, eight bytes with each load and store.
    pub fn copy_page(
        &mut self,
        from: PhysicalAddress,
        to: PhysicalAddress,
    ) -> Result<(), MemoryError> {
        let mut content = [0; PAGE_BYTES];
        self.read_bytes(from, &mut content)?;
        self.write_bytes(to, &content)
    }

    /// Reads bytes of memory, eight with each load.
    pub fn read_bytes(
        &mut self,
        address: PhysicalAddress,
        buffer: &mut [u8],
    ) -> Result<(), MemoryError> {
        self.charge(Primitive::Load, buffer.len().div_ceil(8) as u64);
        self.memory.read(address, buffer)
    }

    /// Writes bytes of memory, eight with each store.
    pub fn write_bytes(
        &mut self,
        address: PhysicalAddress,
        bytes: &[u8],
    ) -> Result<(), MemoryError> {
        self.charge(Primitive::Store, bytes.len().div_ceil(8) as u64);
        self.memory.write(address, bytes)
    }

    /// Whether the machine has memory at `length` bytes from an address: two comparisons with what
    /// the handler knows of the machine.
    pub fn is_memory(&mut self, address: u64, length: u64) -> bool {
        self.assume(assumed::MEMORY_BOUNDS);
        self.memory.frames.contains(PhysicalAddress(address), length)
    }

    /// Loads from a device.
    pub fn load_device(&mut self, address: u64, width: Width) -> Result<u64, BusError> {
        self.charge(Primitive::Load, 1);
        self.charge_device();
        let now = self.hart.clock.cycles;
        let bus = self.bus.as_deref_mut().ok_or(BusError)?;
        bus.load(&mut self.memory, address, width, now)
    }

    /// Stores to a device.
    pub fn store_device(&mut self, address: u64, width: Width, value: u64) -> Result<(), BusError> {
        self.charge(Primitive::Store, 1);
        self.charge_device();
        let now = self.hart.clock.cycles;
        let bus = self.bus.as_deref_mut().ok_or(BusError)?;
        bus.store(&mut self.memory, address, width, value, now).map(|_| ())
    }

    /// Interrupts another hart: a store to the interrupt controller. Whom it reaches is the
    /// handler's affair.
    pub fn ring(&mut self) {
        self.charge(Primitive::Store, 1);
        self.charge_device();
    }

    /// The clock of the hart.
    pub fn now_cycles(&self) -> u64 {
        self.hart.clock.cycles
    }

    /// When an interrupt that is sent now reaches another hart.
    pub fn arrival_cycle(&self) -> u64 {
        self.hart.clock.cycles.saturating_add(self.hart.timing().ipi_cycles)
    }

    /// Lets the time pass that an interrupt takes to another hart.
    pub fn await_arrival(&mut self) {
        self.hart.clock.cycles = self.arrival_cycle();
    }

    fn charge_device(&mut self) {
        let cycles = self.hart.timing().device_access_cycles;
        self.hart.clock.cycles += cycles;
        self.hart.counters.device_accesses += 1;
        self.hart.counters.device_cycles += cycles;
    }
}

/// Work on the handler's own state, which is Rust data: only its cost is left.
impl Meter<'_> {
    /// `count` loads from the handler's own state.
    pub fn load_state(&mut self, count: u64) {
        self.charge(Primitive::Load, count);
    }

    /// `count` stores to the handler's own state.
    pub fn store_state(&mut self, count: u64) {
        self.charge(Primitive::Store, count);
    }

    /// A look-up in a table or list of the handler that takes `probes` probes.
    pub fn lookup(&mut self, probes: u64) {
        self.charge(Primitive::Lookup, probes);
    }

    /// Simple instructions that nothing counts.
    pub fn assume(&mut self, assumption: Assumption) {
        self.assume_each(assumption, 1);
    }

    /// The same for each of `count` things.
    pub fn assume_each(&mut self, assumption: Assumption, count: u64) {
        debug_assert_eq!(assumption.unit, "instructions", "{}", assumption.name);
        self.charge(Primitive::Alu, assumption.value.saturating_mul(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_hart::{InstructionClass as Class, IsaProfile, Timing};
    use dcsim_memory::{Frames, PageStore};

    const BASE: PhysicalAddress = PhysicalAddress(0x8000_0000);
    const MEPC: u16 = 0x341;
    const MSTATUS: u16 = 0x300;

    fn timing() -> Timing {
        let mut timing = Timing::uniform();
        timing.return_cycles = 9;
        for (class, cycles) in [
            (Class::Load, 2),
            (Class::Store, 3),
            (Class::Csr, 5),
            (Class::Fence, 7),
            (Class::System, 11),
        ] {
            timing.class_cycles[class as usize] = cycles;
        }
        timing
    }

    /// The cycles that something costs.
    fn cost<T>(act: impl FnOnce(&mut Meter<'_>) -> T) -> u64 {
        let mut hart = Hart::new(0, IsaProfile::Rv64gc, timing());
        let (mut store, mut frames) = (PageStore::new(1 << 20), Frames::new(BASE, 4));
        let memory = Memory { store: &mut store, frames: &mut frames };
        act(&mut Meter::new(&mut hart, memory));
        hart.clock.cycles
    }

    // Named functions: a closure here would be a redundant one, and the method itself is not
    // general enough in its lifetimes.
    fn enter(meter: &mut Meter<'_>) {
        meter.enter();
    }

    fn leave(meter: &mut Meter<'_>) {
        meter.leave();
    }

    fn flush_all(meter: &mut Meter<'_>) {
        meter.flush_tlb_all();
    }

    fn serve_shootdown(meter: &mut Meter<'_>) {
        meter.serve_shootdown();
    }

    #[test]
    fn every_primitive_charges_its_instructions() {
        assert_eq!(cost(enter), 5 + 31 * 3);
        assert_eq!(cost(leave), 5 + 31 * 2 + 11 + 9);
        assert_eq!(cost(|meter| meter.read_register(Register::R5)), 2);
        assert_eq!(cost(|meter| meter.write_register(Register::R5, 1)), 3);
        assert_eq!(cost(|meter| meter.read_csr(MEPC)), 5);
        assert_eq!(cost(|meter| meter.write_csr(MEPC, 4)), 5);
        assert_eq!(cost(|meter| meter.load(BASE)), 2);
        assert_eq!(cost(|meter| meter.write_pte(BASE, 1)), 3);
        assert_eq!(cost(|meter| meter.read_bytes(BASE, &mut [0; 17])), 3 * 2);
        assert_eq!(cost(flush_all), 7);
        let (saved, restored) = (5 + 31 * 3, 5 + 31 * 2);
        let trap = timing().trap_cycles;
        assert_eq!(cost(serve_shootdown), trap + saved + 7 + restored + 11 + 9);
        assert_eq!(cost(|meter| meter.lookup(3)), 3 * (2 + 1 + 1));
        assert_eq!(cost(|meter| meter.assume(assumed::DISPATCH)), 8);
        assert_eq!(cost(|meter| meter.clear_page(BASE)), 512 * 3 + 64 * 2);
        let next = PhysicalAddress(BASE.0 + 4096);
        assert_eq!(cost(|meter| meter.copy_page(BASE, next)), 512 * (2 + 3));
    }

    #[test]
    fn leaving_machine_mode_returns_to_the_interrupted_program() {
        let mut hart = Hart::new(0, IsaProfile::Rv64gc, timing());
        let (mut store, mut frames) = (PageStore::new(1 << 20), Frames::new(BASE, 4));
        let memory = Memory { store: &mut store, frames: &mut frames };
        let mut meter = Meter::new(&mut hart, memory);
        meter.write_csr(MEPC, 0x8020_0000);
        meter.write_csr(MSTATUS, 1 << 11);
        meter.leave();
        assert_eq!((hart.pc, hart.privilege), (0x8020_0000, Privilege::Supervisor));
    }

    #[test]
    fn the_zero_register_and_missing_registers_stay_as_they_are() {
        let mut hart = Hart::new(0, IsaProfile::Rv64gc, timing());
        let (mut store, mut frames) = (PageStore::new(1 << 20), Frames::new(BASE, 4));
        let memory = Memory { store: &mut store, frames: &mut frames };
        let mut meter = Meter::new(&mut hart, memory);
        meter.write_register(Register::R0, 7);
        assert_eq!(meter.read_register(Register::R0), 0);
        assert_eq!(meter.read_csr(0x5c0), 0);
        assert_eq!(meter.load_device(0x1000_0000, Width::Byte), Err(BusError));
    }
}
