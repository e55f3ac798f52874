//! The core as an oracle: a hart, memory, a console and nothing else.

use crate::image::{BASE, FINISHER, UART};
use dcsim_hart::engine::{Engine, Interpreter};
use dcsim_hart::{
    Bus, BusError, Hart, InterruptLines, IsaProfile, Ports, Signal, Stop, Timing, Width,
};
use dcsim_memory::{Frames, Memory, PAGE_BYTES, PageStore, PhysicalAddress};

/// A UART that is always ready to send, and the register that ends the run.
#[derive(Debug, Default)]
struct Console {
    printed: Vec<u8>,
}

impl Bus for Console {
    fn load(
        &mut self,
        _memory: &mut Memory<'_>,
        address: u64,
        _width: Width,
        _now_cycles: u64,
    ) -> Result<u64, BusError> {
        // The line status register: transmitter empty.
        if address == UART + 5 { Ok(0x60) } else { Err(BusError) }
    }

    fn store(
        &mut self,
        _memory: &mut Memory<'_>,
        address: u64,
        _width: Width,
        value: u64,
        _now_cycles: u64,
    ) -> Result<Signal, BusError> {
        match address {
            UART => {
                self.printed.push(value as u8);
                Ok(Signal::None)
            }
            FINISHER => Ok(Signal::Stop),
            _ => Err(BusError),
        }
    }

    fn interrupt_lines(&self, _hart: usize) -> InterruptLines {
        InterruptLines::default()
    }
}

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Why it ended.
    pub stop: Stop,
    /// The bytes that the program printed.
    pub printed: Vec<u8>,
    /// The hart at the end.
    pub hart: Hart,
}

/// Runs a bare program that is loaded and entered at [`BASE`], for at most `cycles` cycles.
///
/// `memory_bytes` is the size of the memory; whatever of the program does not fit is left out.
pub fn run(program: &[u8], memory_bytes: u64, timing: Timing, cycles: u64) -> Outcome {
    run_in_cuts(program, memory_bytes, timing, &[cycles])
}

/// Like [`run`], stopping at each of the cycles in `cuts` and going on: this must change nothing.
pub fn run_in_cuts(program: &[u8], memory_bytes: u64, timing: Timing, cuts: &[u64]) -> Outcome {
    let base = PhysicalAddress(BASE);
    // Room for a copy of every frame; decoding and copying need no more.
    let mut store = PageStore::new(memory_bytes + PAGE_BYTES as u64);
    let mut frames = Frames::new(base, memory_bytes / PAGE_BYTES as u64);
    let mut memory = Memory { store: &mut store, frames: &mut frames };
    let length = program.len().min(memory_bytes as usize);
    let loaded = memory.write(base, &program[..length]);
    debug_assert!(loaded.is_ok(), "the store has room for all frames");
    let mut engine = Interpreter::new();
    let mut hart = Hart::new(0, IsaProfile::Rv64gc, timing);
    hart.reset(BASE);
    let mut console = Console::default();
    let mut stop = Stop::Deadline;
    for cut in cuts {
        let mut ports = Ports { memory: memory.reborrow(), bus: &mut console };
        stop = engine.run(&mut hart, &mut ports, *cut);
        if !matches!(stop, Stop::Deadline) {
            break;
        }
    }
    Outcome { stop, printed: console.printed, hart }
}
