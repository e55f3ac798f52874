//! The controller against a naive model, over long random sequences of operations.

use super::{Plic, SOURCES};
use crate::random::Random;

const CONTEXTS: usize = 4;

#[derive(Copy, Clone, PartialEq)]
enum Gateway {
    Idle,
    Pending,
    InService,
}

/// One record a source, looked through from the front: slow and plain.
struct Model {
    asserted: [bool; SOURCES + 1],
    gateway: [Gateway; SOURCES + 1],
    priority: [u8; SOURCES + 1],
    enabled: [[bool; SOURCES + 1]; CONTEXTS],
    threshold: [u8; CONTEXTS],
}

impl Model {
    fn new() -> Self {
        Self {
            asserted: [false; SOURCES + 1],
            gateway: [Gateway::Idle; SOURCES + 1],
            priority: [0; SOURCES + 1],
            enabled: [[false; SOURCES + 1]; CONTEXTS],
            threshold: [0; CONTEXTS],
        }
    }

    fn set_line(&mut self, source: usize, asserted: bool) {
        self.asserted[source] = asserted;
        if asserted && self.gateway[source] == Gateway::Idle {
            self.gateway[source] = Gateway::Pending;
        }
    }

    fn best(&self, context: usize) -> usize {
        let eligible = |source: &usize| {
            self.gateway[*source] == Gateway::Pending
                && self.enabled[context][*source]
                && self.priority[*source] > 0
        };
        let by_priority = |source: &usize| (self.priority[*source], SOURCES - source);
        (1..=SOURCES).filter(eligible).max_by_key(by_priority).unwrap_or(0)
    }

    fn notifies(&self, context: usize) -> bool {
        let source = self.best(context);
        source != 0 && self.priority[source] > self.threshold[context]
    }

    fn claim(&mut self, context: usize) -> usize {
        let source = self.best(context);
        if source != 0 {
            self.gateway[source] = Gateway::InService;
        }
        source
    }

    fn complete(&mut self, context: usize, source: usize) {
        if self.enabled[context][source] && self.gateway[source] == Gateway::InService {
            self.gateway[source] =
                if self.asserted[source] { Gateway::Pending } else { Gateway::Idle };
        }
    }
}

fn step(plic: &mut Plic, model: &mut Model, random: &mut Random) {
    // Few sources, at the edges of the words, so that operations meet each other.
    let source = [1, 2, 31, 32, 33, 95, 96][random.below(7) as usize];
    let context = random.below(CONTEXTS as u64) as usize;
    let (word, mask) = (source as u64 / 32, 1u64 << (source % 32));
    match random.below(6) {
        0 => {
            let asserted = random.below(2) == 1;
            plic.set_line(source, asserted);
            model.set_line(source, asserted);
        }
        1 => {
            let priority = random.below(8);
            plic.store(4 * source as u64, 4, priority).unwrap();
            model.priority[source] = priority as u8;
        }
        2 => {
            let register = 0x2000 + 0x80 * context as u64 + 4 * word;
            let before = plic.load(register, 4).unwrap();
            plic.store(register, 4, before ^ mask).unwrap();
            model.enabled[context][source] ^= true;
        }
        3 => {
            let threshold = random.below(8);
            plic.store(0x20_0000 + 0x1000 * context as u64, 4, threshold).unwrap();
            model.threshold[context] = threshold as u8;
        }
        4 => {
            let claimed = plic.load(0x20_0004 + 0x1000 * context as u64, 4).unwrap();
            assert_eq!(claimed, model.claim(context) as u64);
        }
        _ => {
            plic.store(0x20_0004 + 0x1000 * context as u64, 4, source as u64).unwrap();
            model.complete(context, source);
        }
    }
}

#[test]
fn the_controller_agrees_with_the_model() {
    for seed in 0..50 {
        let (mut plic, mut model) = (Plic::new(CONTEXTS), Model::new());
        let mut random = Random::new(seed);
        for _ in 0..2000 {
            step(&mut plic, &mut model, &mut random);
            for context in 0..CONTEXTS {
                assert_eq!(plic.notifies(context), model.notifies(context), "seed {seed}");
            }
            for source in 1..=SOURCES {
                let word = plic.load(0x1000 + 4 * (source as u64 / 32), 4).unwrap();
                let pending = word >> (source % 32) & 1 != 0;
                assert_eq!(pending, model.gateway[source] == Gateway::Pending, "seed {seed}");
            }
        }
    }
}
