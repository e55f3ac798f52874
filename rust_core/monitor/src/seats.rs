//! What a technique keeps of the vCPUs that do not act now.
//!
//! A technique's object is a VM's: its page map, its tables, its code. What is a vCPU's own (its
//! life, what its pCPU holds, what it alone translates through) stands in the object's fields while
//! the vCPU acts, and here otherwise. With one vCPU nothing is ever exchanged.

use crate::cpu_state::CpuState;

/// The places of a VM's vCPUs.
#[derive(Debug)]
pub struct Seats<S> {
    acting: usize,
    /// One for each vCPU; empty if there is only one. That of the one that acts holds nothing of use.
    places: Vec<S>,
}

impl<S> Default for Seats<S> {
    fn default() -> Self {
        Self { acting: 0, places: Vec::new() }
    }
}

impl<S> Seats<S> {
    /// Seats for the first vCPU, which acts, and for others that have these registers; `seat` makes
    /// one from a vCPU's number and registers.
    pub fn beside_first(others: Vec<CpuState>, seat: impl FnMut((usize, CpuState)) -> S) -> Self {
        let first = std::iter::once(CpuState::stopped());
        Self { acting: 0, places: (0..).zip(first.chain(others)).map(seat).collect() }
    }

    /// The seats of those that do not act.
    pub fn resting(&self) -> impl Iterator<Item = &S> {
        let numbered = self.places.iter().enumerate();
        numbered.filter(|(number, _)| *number != self.acting).map(|(_, seat)| seat)
    }

    /// Whether there are several vCPUs.
    pub fn are_several(&self) -> bool {
        !self.places.is_empty()
    }

    /// Lets another vCPU act. `exchange` puts what is in a seat into the technique's fields, and
    /// what is there into the seat.
    pub fn let_act(&mut self, vcpu: usize, mut exchange: impl FnMut(&mut S)) {
        if vcpu == self.acting || vcpu >= self.places.len() {
            return;
        }
        exchange(&mut self.places[self.acting]);
        exchange(&mut self.places[vcpu]);
        self.acting = vcpu;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_acts_finds_what_it_left() {
        let mut field = 'a';
        let others = vec![CpuState::stopped(), CpuState::stopped()];
        let mut seats = Seats::beside_first(others, |(number, _)| ['-', 'b', 'c'][number]);
        let mut seen = Vec::new();
        for vcpu in [0, 2, 1, 1, 0, 9, 2] {
            seats.let_act(vcpu, |seat| std::mem::swap(seat, &mut field));
            seen.push(field);
            assert!(seats.resting().all(|resting| *resting != field));
        }
        assert_eq!(seats.resting().collect::<String>(), "ab");
        assert_eq!(seen, ['a', 'c', 'b', 'b', 'a', 'a', 'c']);
    }
}
