//! The scattered buffers of a request, as one run of bytes.

use crate::guest_memory::{Direction, GuestMemory, GuestMemoryError, GuestRange};
use serde::{Deserialize, Serialize};

/// A contiguous piece of guest memory. It ends before the end of the address space.
#[derive(Copy, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Segment {
    /// The first guest-physical address.
    pub address: u64,
    /// The length in bytes.
    pub length: u32,
}

/// Pieces of guest memory, in the order in which bytes run through them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Buffers {
    segments: Vec<Segment>,
}

impl Buffers {
    /// Buffers made of these pieces.
    pub fn new(segments: Vec<Segment>) -> Self {
        Self { segments }
    }

    /// Appends a piece.
    pub fn push(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// The number of pieces.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The address of the first byte.
    pub fn first_address(&self) -> Option<u64> {
        self.segments.first().map(|segment| segment.address)
    }

    /// Whether every piece ends before the end of the address space, as in all that a queue hands
    /// out.
    pub fn is_addressable(&self) -> bool {
        let ends = |segment: &Segment| segment.address.checked_add(u64::from(segment.length));
        self.segments.iter().all(|segment| ends(segment).is_some())
    }

    /// The number of bytes.
    pub fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.length)).sum()
    }

    /// The bytes before and from `position` on; both are shorter if there are not that many.
    pub fn split_at(&self, position: u64) -> (Self, Self) {
        let (mut before, mut after) = (Self::default(), Self::default());
        let mut left = position;
        for segment in &self.segments {
            let cut = u64::from(segment.length).min(left) as u32;
            left -= u64::from(cut);
            if cut > 0 {
                before.push(Segment { address: segment.address, length: cut });
            }
            if segment.length > cut {
                let address = segment.address + u64::from(cut);
                after.push(Segment { address, length: segment.length - cut });
            }
        }
        (before, after)
    }

    /// The ranges, for a reservation.
    pub fn ranges(&self, direction: Direction) -> impl Iterator<Item = GuestRange> {
        self.segments.iter().map(move |segment| GuestRange {
            address: segment.address,
            length: u64::from(segment.length),
            direction,
        })
    }

    /// Fills `bytes` from the first bytes of the buffers. Returns how many there were.
    pub fn read(
        &self,
        memory: &dyn GuestMemory,
        bytes: &mut [u8],
    ) -> Result<usize, GuestMemoryError> {
        let mut done = 0;
        for segment in &self.segments {
            let length = (segment.length as usize).min(bytes.len() - done);
            memory.read(segment.address, &mut bytes[done..done + length])?;
            done += length;
        }
        Ok(done)
    }

    /// Writes `bytes` to the first bytes of the buffers. Returns how many found room.
    pub fn write(
        &self,
        memory: &mut dyn GuestMemory,
        bytes: &[u8],
    ) -> Result<usize, GuestMemoryError> {
        let mut done = 0;
        for segment in &self.segments {
            let length = (segment.length as usize).min(bytes.len() - done);
            memory.write(segment.address, &bytes[done..done + length])?;
            done += length;
        }
        Ok(done)
    }

    /// Visits all bytes in order, in pieces of at most `limit` contiguous bytes:
    /// `visit(position of the piece in the run, its guest-physical address, its length)`.
    pub fn for_each_piece<E>(
        &self,
        limit: usize,
        mut visit: impl FnMut(u64, u64, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut position = 0;
        for segment in &self.segments {
            let mut done = 0;
            while done < segment.length {
                let length = (segment.length - done).min(limit as u32);
                visit(position, segment.address + u64::from(done), length as usize)?;
                done += length;
                position += u64::from(length);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers(pieces: &[(u64, u32)]) -> Buffers {
        Buffers::new(
            pieces
                .iter()
                .map(|(address, length)| Segment { address: *address, length: *length })
                .collect(),
        )
    }

    #[test]
    fn a_split_may_fall_inside_a_segment() {
        let all = buffers(&[(100, 10), (200, 10)]);
        assert_eq!(all.split_at(13), (buffers(&[(100, 10), (200, 3)]), buffers(&[(203, 7)])));
        assert_eq!(all.split_at(10), (buffers(&[(100, 10)]), buffers(&[(200, 10)])));
        assert_eq!(all.split_at(0), (buffers(&[]), all.clone()));
        assert_eq!(all.split_at(99), (all.clone(), buffers(&[])));
        assert_eq!(all.total_bytes(), 20);
    }

    #[test]
    fn pieces_keep_their_place_in_the_run() {
        let mut seen = Vec::new();
        buffers(&[(100, 5), (200, 3)])
            .for_each_piece(4, |position, address, length| {
                seen.push((position, address, length));
                Ok::<(), ()>(())
            })
            .unwrap();
        assert_eq!(seen, [(0, 100, 4), (4, 104, 1), (5, 200, 3)]);
    }
}
