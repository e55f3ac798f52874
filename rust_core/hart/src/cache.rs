//! The data-cache model: which lines a data cache would hold.
//!
//! Set-associative, physically tagged, least-recently-used replacement, allocating on loads and
//! stores alike. It holds no data. It is asked about every access to memory by loads, stores and
//! atomic operations, so the software TLB answers none of them while the model is on. Page-table
//! walks and fetches do not pass through it.

use crate::timing::DataCacheShape;

/// The lines that a data cache would hold.
#[derive(Clone, Debug)]
pub(crate) struct DataCache {
    shape: DataCacheShape,
    /// Set after set, in each the most recently used line first.
    lines: Vec<Option<u64>>,
    sets: u64,
    ways: usize,
}

impl DataCache {
    /// An empty cache. A shape that does not divide evenly is rounded down to whole sets; there is
    /// always at least one line.
    pub(crate) fn new(shape: DataCacheShape) -> Self {
        let lines = (shape.bytes / shape.line_bytes.max(1)).max(1);
        let ways = shape.ways.clamp(1, lines);
        let sets = lines / ways;
        Self { shape, lines: vec![None; sets * ways], sets: sets as u64, ways }
    }

    /// Cycles that a miss adds.
    pub(crate) fn miss_cycles(&self) -> u64 {
        self.shape.miss_cycles
    }

    /// Accesses `length` bytes; returns how many lines were missing.
    pub(crate) fn access(&mut self, physical: u64, length: u64) -> u64 {
        let line_bytes = self.shape.line_bytes.max(1) as u64;
        let last = physical.saturating_add(length.saturating_sub(1));
        (physical / line_bytes..=last / line_bytes).map(|line| u64::from(!self.touch(line))).sum()
    }

    /// Makes a line the most recently used of its set; says whether it was there.
    fn touch(&mut self, line: u64) -> bool {
        let start = (line % self.sets) as usize * self.ways;
        let set = &mut self.lines[start..start + self.ways];
        let position = set.iter().position(|held| *held == Some(line));
        set[..=position.unwrap_or(self.ways - 1)].rotate_right(1);
        set[0] = Some(line);
        position.is_some()
    }
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
        assert_eq!(cache.access(0x100, 8), 1);
        assert_eq!(cache.access(0x138, 8), 0);
        assert_eq!(cache.access(0x140, 1), 1);
    }

    #[test]
    fn an_access_across_two_lines_touches_both() {
        let mut cache = cache(4, 4);
        assert_eq!(cache.access(0x3c, 8), 2);
        assert_eq!(cache.access(0x3c, 4), 0);
        assert_eq!(cache.access(0x40, 4), 0);
    }

    #[test]
    fn the_least_recently_used_line_leaves() {
        let mut cache = cache(2, 2);
        for (address, misses) in [(0x000, 1), (0x040, 1), (0x000, 0), (0x080, 1), (0x000, 0)] {
            assert_eq!(cache.access(address, 1), misses, "{address:#x}");
        }
        assert_eq!(cache.access(0x040, 1), 1);
    }

    #[test]
    fn sets_compete_only_within_themselves() {
        let mut cache = cache(2, 1);
        for (address, misses) in [(0x000, 1), (0x040, 1), (0x080, 1), (0x040, 0), (0x000, 1)] {
            assert_eq!(cache.access(address, 1), misses, "{address:#x}");
        }
    }
}
