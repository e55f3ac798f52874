//! The data-cache model: which lines a data cache would hold.
//!
//! Set-associative, physically tagged, least-recently-used replacement, allocating on loads and
//! stores alike. It holds no data. It is asked about every access to memory by loads, stores and
//! atomic operations, so the software TLB answers none of them while the model is on. Page-table
//! walks and fetches do not pass through it.

use crate::timing::DataCacheShape;

/// The lines that a vCPU would have in a data cache that nobody else used.
///
/// It goes with the vCPU, from hart to hart. A miss on a line that is here is a *refill*: others have
/// taken the line's place since, or it is in the cache of another hart. As replacement is by least
/// recent use, whatever the shared cache holds for a vCPU its own would hold as well, so a vCPU's
/// misses are its refills and those that it would have had alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OwnLines {
    /// Set after set, in each the most recently used line first; nothing before the first use.
    lines: Vec<Option<u64>>,
}

/// Lines of one access that were missing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Missing {
    /// How many.
    pub lines: u64,
    /// How many of them the vCPU would have had alone.
    pub refills: u64,
}

/// The lines that a data cache would hold.
#[derive(Clone, Debug)]
pub(crate) struct DataCache {
    shape: DataCacheShape,
    /// Set after set, in each the most recently used line first.
    lines: Vec<Option<u64>>,
    sets: u64,
    ways: usize,
    /// Of the vCPU that executes.
    own: OwnLines,
}

impl DataCache {
    /// An empty cache. A shape that does not divide evenly is rounded down to whole sets; there is
    /// always at least one line.
    pub(crate) fn new(shape: DataCacheShape) -> Self {
        let lines = (shape.bytes / shape.line_bytes.max(1)).max(1);
        let ways = shape.ways.clamp(1, lines);
        let sets = lines / ways;
        let lines = vec![None; sets * ways];
        let own = OwnLines { lines: lines.clone() };
        Self { shape, lines, sets: sets as u64, ways, own }
    }

    /// Cycles that a miss adds.
    pub(crate) fn miss_cycles(&self) -> u64 {
        self.shape.miss_cycles
    }

    /// The vCPU that executed is taken off, with its own lines.
    pub(crate) fn leave(&mut self) -> OwnLines {
        std::mem::take(&mut self.own)
    }

    /// A vCPU that brings its own lines executes from now on.
    pub(crate) fn enter(&mut self, own: OwnLines) {
        self.own = own;
    }

    /// Accesses `length` bytes; returns which lines were missing.
    pub(crate) fn access(&mut self, physical: u64, length: u64) -> Missing {
        self.own.lines.resize(self.lines.len(), None);
        let line_bytes = self.shape.line_bytes.max(1) as u64;
        let last = physical.saturating_add(length.saturating_sub(1));
        let mut missing = Missing::default();
        for line in physical / line_bytes..=last / line_bytes {
            let start = (line % self.sets) as usize * self.ways;
            let places = start..start + self.ways;
            let had = touch(&mut self.own.lines[places.clone()], line);
            if !touch(&mut self.lines[places], line) {
                missing.lines += 1;
                missing.refills += u64::from(had);
            }
        }
        missing
    }
}

/// Makes a line the most recently used of its set; says whether it was there.
fn touch(set: &mut [Option<u64>], line: u64) -> bool {
    if set[0] == Some(line) {
        return true;
    }
    let position = set.iter().position(|held| *held == Some(line));
    let end = position.unwrap_or(set.len() - 1);
    set[..=end].rotate_right(1);
    set[0] = Some(line);
    position.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(lines: usize, ways: usize) -> DataCache {
        DataCache::new(DataCacheShape { bytes: lines * 64, line_bytes: 64, ways, miss_cycles: 10 })
    }

    #[test]
    fn a_line_misses_once() {
        let mut cache = cache(4, 2);
        assert_eq!(cache.access(0x100, 8).lines, 1);
        assert_eq!(cache.access(0x138, 8).lines, 0);
        assert_eq!(cache.access(0x140, 1).lines, 1);
    }

    #[test]
    fn an_access_across_two_lines_touches_both() {
        let mut cache = cache(4, 4);
        assert_eq!(cache.access(0x3c, 8).lines, 2);
        assert_eq!(cache.access(0x3c, 4).lines, 0);
        assert_eq!(cache.access(0x40, 4).lines, 0);
    }

    #[test]
    fn the_least_recently_used_line_leaves() {
        let mut cache = cache(2, 2);
        for (address, misses) in [(0x000, 1), (0x040, 1), (0x000, 0), (0x080, 1), (0x000, 0)] {
            assert_eq!(cache.access(address, 1).lines, misses, "{address:#x}");
        }
        assert_eq!(cache.access(0x040, 1).lines, 1);
    }

    #[test]
    fn sets_compete_only_within_themselves() {
        let mut cache = cache(2, 1);
        for (address, misses) in [(0x000, 1), (0x040, 1), (0x080, 1), (0x040, 0), (0x000, 1)] {
            assert_eq!(cache.access(address, 1).lines, misses, "{address:#x}");
        }
    }

    #[test]
    fn a_refill_is_a_miss_on_what_the_vcpu_would_have_alone() {
        let mut cache = cache(4, 4);
        for line in [0, 1, 2] {
            cache.access(line * 64, 8);
        }
        let own = cache.leave();
        // Another one takes the place of lines 0 and 1, and leaves line 2.
        for line in [10, 11, 12] {
            assert_eq!(cache.access(line * 64, 8), Missing { lines: 1, refills: 0 });
        }
        cache.enter(own);
        assert_eq!(cache.access(2 * 64, 8), Missing { lines: 0, refills: 0 });
        assert_eq!(cache.access(0, 8), Missing { lines: 1, refills: 1 });
        assert_eq!(cache.access(3 * 64, 8), Missing { lines: 1, refills: 0 });
        assert_eq!(cache.access(64, 8), Missing { lines: 1, refills: 1 });
        // Line 0 leaves for want of room: nobody took it.
        for line in [4, 5, 6, 7] {
            cache.access(line * 64, 8);
        }
        assert_eq!(cache.access(0, 8), Missing { lines: 1, refills: 0 });
    }

    #[test]
    fn misses_without_refills_are_those_of_a_cache_for_itself() {
        let accesses = |seed: u64| (0..400).map(move |n: u64| (n * n * 7 + n * seed) % 13 * 64);
        let mut shared = cache(8, 2);
        let mut held = [OwnLines::default(), OwnLines::default()];
        let mut counted = [Missing::default(); 2];
        let streams: Vec<Vec<u64>> = vec![accesses(3).collect(), accesses(5).collect()];
        for turn in 0..40 {
            let who = turn % 2;
            shared.enter(std::mem::take(&mut held[who]));
            for address in &streams[who][turn / 2 * 20..][..20] {
                let missing = shared.access(address + (who as u64) * 0x10_0000, 8);
                counted[who].lines += missing.lines;
                counted[who].refills += missing.refills;
            }
            held[who] = shared.leave();
        }
        for who in 0..2 {
            let mut alone = cache(8, 2);
            let misses: u64 = streams[who].iter().map(|at| alone.access(*at, 8).lines).sum();
            assert!(counted[who].refills > 0);
            assert_eq!(counted[who].lines - counted[who].refills, misses);
        }
    }

    #[test]
    fn on_another_hart_all_that_was_left_has_to_be_filled_again() {
        let mut one = cache(4, 2);
        one.access(0, 128);
        let mut other = cache(4, 2);
        other.enter(one.leave());
        assert_eq!(other.access(0, 128), Missing { lines: 2, refills: 2 });
    }
}
