//! A small deterministic generator (`SplitMix64`): the entropy device's stream, and test inputs.

use serde::{Deserialize, Serialize};

/// A `SplitMix64` generator. Its whole state is one number, so a snapshot keeps the position.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`, which must not be 0. The bias is below 2^-40 for small bounds.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of SplitMix64 for seed 1234567, as its authors' reference code gives them.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_short_tail_takes_the_low_bytes_of_one_number() {
        let (mut bytes, mut whole) = ([0; 11], [0; 16]);
        Random::new(5).fill(&mut bytes);
        Random::new(5).fill(&mut whole);
        assert_eq!(bytes, whole[..11]);
    }
}
