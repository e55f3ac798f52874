//! Futexes: threads that wait for a word of memory.

use super::Id;
use crate::hardware::SpaceId;
use crate::memory::region::ObjectId;
use std::collections::VecDeque;

/// What a futex is known by.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Key {
    /// A word that only one address space has.
    Private(SpaceId, u64),
    /// A word of shared memory, by its offset there.
    Shared(ObjectId, u64),
}

/// A thread that waits.
#[derive(Copy, Clone, Debug)]
struct Waiter {
    key: Key,
    thread: Id,
    bits: u32,
}

/// All threads that wait, in the order in which they came.
#[derive(Debug, Default)]
pub struct Futexes {
    waiters: VecDeque<Waiter>,
}

impl Futexes {
    /// A thread waits.
    pub fn wait(&mut self, key: Key, thread: Id, bits: u32) {
        self.waiters.push_back(Waiter { key, thread, bits });
    }

    /// A thread waits no more.
    pub fn forget(&mut self, thread: Id) {
        self.waiters.retain(|waiter| waiter.thread != thread);
    }

    /// Whether a thread still waits.
    pub fn holds(&self, thread: Id) -> bool {
        self.waiters.iter().any(|waiter| waiter.thread == thread)
    }

    /// Takes up to `count` threads out that wait with any of these bits.
    pub fn wake(&mut self, key: Key, count: usize, bits: u32) -> Vec<Id> {
        let mut woken = Vec::new();
        self.waiters.retain(|waiter| {
            let meant = waiter.key == key && waiter.bits & bits != 0 && woken.len() < count;
            if meant {
                woken.push(waiter.thread);
            }
            !meant
        });
        woken
    }

    /// Lets up to `count` threads wait for another word; tells how many.
    pub fn requeue(&mut self, from: Key, to: Key, count: usize) -> usize {
        let mut moved = 0;
        for waiter in self.waiters.iter_mut().filter(|waiter| waiter.key == from).take(count) {
            waiter.key = to;
            moved += 1;
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key::Private(SpaceId(1), 0x1000);
    const B: Key = Key::Private(SpaceId(1), 0x2000);

    #[test]
    fn threads_are_woken_in_the_order_in_which_they_came() {
        let mut futexes = Futexes::default();
        for (thread, key) in [(3, A), (1, B), (2, A), (4, A)] {
            futexes.wait(key, Id(thread), u32::MAX);
        }
        assert_eq!(futexes.wake(A, 2, u32::MAX), [Id(3), Id(2)]);
        assert_eq!(futexes.wake(A, 2, u32::MAX), [Id(4)]);
        assert!(futexes.holds(Id(1)) && !futexes.holds(Id(4)));
    }

    #[test]
    fn only_the_bits_that_are_meant_are_woken() {
        let mut futexes = Futexes::default();
        futexes.wait(A, Id(1), 1);
        futexes.wait(A, Id(2), 2);
        assert_eq!(futexes.wake(A, 9, 2), [Id(2)]);
    }

    #[test]
    fn a_requeued_thread_is_woken_at_its_new_word() {
        let mut futexes = Futexes::default();
        futexes.wait(A, Id(1), u32::MAX);
        futexes.wait(A, Id(2), u32::MAX);
        assert_eq!(futexes.requeue(A, B, 1), 1);
        assert_eq!(futexes.wake(B, 9, u32::MAX), [Id(1)]);
        assert_eq!(futexes.wake(A, 9, u32::MAX), [Id(2)]);
    }
}
