//! Registers and behaviour of the test finisher.
//!
//! One register at offset 0, as `sifive,test1` has it. The low 16 bits say what to do, the high 16
//! bits carry an exit code:
//!
//! | low half | meaning |
//! |---|---|
//! | `0x5555` | power off, code 0 |
//! | `0x3333` | power off with the code in the high half |
//! | `0x7777` | reset |

use super::FinisherState;
use crate::devices::{Persist, StateError};
use serde::{Deserialize, Serialize};

const PASS: u32 = 0x5555;
const FAIL: u32 = 0x3333;
const RESET: u32 = 0x7777;

/// What a guest asked the machine to do with its power.
#[derive(Copy, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PowerEvent {
    /// Switch off.
    Off {
        /// 0 for success.
        code: u32,
    },
    /// Start again from power-on.
    Reset,
}

impl PowerEvent {
    /// The value that asks the finisher for it. Of a code, 16 bits fit.
    pub fn command(self) -> u64 {
        u64::from(match self {
            Self::Off { code: 0 } => PASS,
            Self::Off { code } => code << 16 | FAIL,
            Self::Reset => RESET,
        })
    }
}

/// The device.
#[derive(Debug, Default)]
pub struct TestFinisher {
    state: FinisherState,
}

impl TestFinisher {
    /// What the guest asked for, if it did. The first request stands.
    pub fn event(&self) -> Option<PowerEvent> {
        self.state.event
    }

    /// Records a request that came another way, such as through the firmware.
    pub fn request(&mut self, event: PowerEvent) {
        self.state.event.get_or_insert(event);
    }

    /// Reads a register: all read as zero.
    pub fn load(&self) -> u64 {
        0
    }

    /// Writes a register; unknown values are ignored.
    pub fn store(&mut self, offset: u64, value: u64) {
        let value = value as u32;
        match (offset, value & 0xffff) {
            (0, PASS) => self.request(PowerEvent::Off { code: 0 }),
            (0, FAIL) => self.request(PowerEvent::Off { code: value >> 16 }),
            (0, RESET) => self.request(PowerEvent::Reset),
            _ => {}
        }
    }
}

impl Persist for TestFinisher {
    type State = FinisherState;

    fn save(&self) -> FinisherState {
        self.state.clone()
    }

    fn restore(&mut self, state: &FinisherState) -> Result<(), StateError> {
        self.state = state.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: u64) -> Option<PowerEvent> {
        let mut finisher = TestFinisher::default();
        finisher.store(0, value);
        finisher.event()
    }

    #[test]
    fn the_three_commands() {
        assert_eq!(after(0x5555), Some(PowerEvent::Off { code: 0 }));
        assert_eq!(after(0x002a_3333), Some(PowerEvent::Off { code: 42 }));
        assert_eq!(after(0x7777), Some(PowerEvent::Reset));
    }

    #[test]
    fn every_event_has_its_command() {
        for event in [PowerEvent::Off { code: 0 }, PowerEvent::Off { code: 9 }, PowerEvent::Reset] {
            assert_eq!(after(event.command()), Some(event));
        }
    }

    #[test]
    fn other_values_and_places_do_nothing() {
        assert_eq!(after(0x1234), None);
        let mut finisher = TestFinisher::default();
        finisher.store(4, 0x5555);
        assert_eq!(finisher.event(), None);
    }

    #[test]
    fn the_first_request_stands_and_survives_a_snapshot() {
        let mut finisher = TestFinisher::default();
        finisher.store(0, 0x0001_3333);
        finisher.store(0, 0x5555);
        let mut restored = TestFinisher::default();
        restored.restore(&finisher.save()).unwrap();
        assert_eq!(restored.event(), Some(PowerEvent::Off { code: 1 }));
    }
}
