//! File descriptors: a process's numbers for open files.

use super::open::OpenId;
use crate::errno::Errno;
use std::collections::BTreeMap;

/// A descriptor.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Descriptor {
    /// The open file.
    pub open: OpenId,
    /// Whether `exec` closes it.
    pub closes_on_exec: bool,
}

/// The descriptors of a process.
#[derive(Clone, Debug, Default)]
pub struct Descriptors {
    table: BTreeMap<u32, Descriptor>,
}

impl Descriptors {
    /// The open file behind a number.
    pub fn get(&self, number: u64) -> Result<Descriptor, Errno> {
        let number = u32::try_from(number).map_err(|_| Errno::BadFile)?;
        self.table.get(&number).copied().ok_or(Errno::BadFile)
    }

    /// Gives an open file the lowest free number from `least` upwards, below `limit`.
    pub fn add(&mut self, descriptor: Descriptor, least: u32, limit: usize) -> Result<u32, Errno> {
        let mut number = least;
        for used in self.table.range(least..).map(|(used, _)| *used) {
            if used != number {
                break;
            }
            number += 1;
        }
        if number as usize >= limit {
            return Err(Errno::TooManyFiles);
        }
        self.table.insert(number, descriptor);
        Ok(number)
    }

    /// Gives an open file a certain number; returns what had it.
    pub fn put(&mut self, number: u32, descriptor: Descriptor) -> Option<Descriptor> {
        self.table.insert(number, descriptor)
    }

    /// Sets whether `exec` closes it.
    pub fn set_close_on_exec(&mut self, number: u64, closes: bool) -> Result<(), Errno> {
        let number = u32::try_from(number).map_err(|_| Errno::BadFile)?;
        self.table.get_mut(&number).ok_or(Errno::BadFile)?.closes_on_exec = closes;
        Ok(())
    }

    /// Takes a number back.
    pub fn remove(&mut self, number: u64) -> Result<Descriptor, Errno> {
        let number = u32::try_from(number).map_err(|_| Errno::BadFile)?;
        self.table.remove(&number).ok_or(Errno::BadFile)
    }

    /// Takes the numbers back that `exec` closes.
    pub fn take_closed_on_exec(&mut self) -> Vec<Descriptor> {
        let (closed, kept) = std::mem::take(&mut self.table)
            .into_iter()
            .partition(|(_, descriptor)| descriptor.closes_on_exec);
        self.table = kept;
        BTreeMap::into_values(closed).collect()
    }

    /// All descriptors with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Descriptor)> + '_ {
        self.table.iter().map(|(number, descriptor)| (*number, *descriptor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Descriptor = Descriptor { open: OpenId(7), closes_on_exec: false };

    #[test]
    fn the_lowest_free_number_is_given() {
        let mut table = Descriptors::default();
        let numbers: Vec<_> = (0..3).map(|_| table.add(FILE, 0, 8).unwrap()).collect();
        assert_eq!(numbers, [0, 1, 2]);
        table.remove(1).unwrap();
        assert_eq!((table.add(FILE, 0, 8), table.add(FILE, 0, 8)), (Ok(1), Ok(3)));
        assert_eq!(table.add(FILE, 6, 8), Ok(6));
        assert_eq!(table.get(5), Err(Errno::BadFile));
    }

    #[test]
    fn there_are_no_more_than_the_limit() {
        let mut table = Descriptors::default();
        table.add(FILE, 0, 1).unwrap();
        assert_eq!(table.add(FILE, 0, 1), Err(Errno::TooManyFiles));
    }

    #[test]
    fn exec_closes_those_that_are_marked() {
        let mut table = Descriptors::default();
        table.add(FILE, 0, 8).unwrap();
        table.add(Descriptor { closes_on_exec: true, ..FILE }, 0, 8).unwrap();
        assert_eq!(table.take_closed_on_exec().len(), 1);
        assert_eq!(table.iter().count(), 1);
    }
}
