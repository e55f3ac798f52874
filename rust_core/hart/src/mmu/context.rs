//! Translation contexts: everything but the address that decides what an access means.
//!
//! Each combination of translation modes, address space, privilege, SUM and MXR that is in use has a
//! small number, which software-TLB entries carry in their tags. Traps, returns and writes of `satp` then
//! only change the current number and end no entry. Ending *all* entries is giving out new numbers.

use super::pte::Accessor;
use super::space::Space;

/// Numbers must fit between the alignment bits and the page address of a tag.
const NUMBERS: u16 = 512;

/// Slots of the direct-mapped table from keys to numbers.
const SLOTS: usize = 64;

/// The position of the number in the tag of a software-TLB entry: above the alignment bits of the
/// widest access.
const TAG_SHIFT: u32 = 3;

/// The number of a translation context, held as it stands in a tag. Zero is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Context(u16);

impl Context {
    /// The context with this number.
    pub(crate) const fn new(number: u16) -> Self {
        Self(number << TAG_SHIFT)
    }

    /// The number itself.
    #[inline]
    pub(crate) fn number(self) -> u16 {
        self.0 >> TAG_SHIFT
    }

    /// The number as it stands in a tag.
    #[inline]
    pub(crate) fn tag_bits(self) -> u64 {
        u64::from(self.0)
    }
}

/// What a context is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ContextKey {
    /// `MODE` of the only or first stage, or 0 where it does not translate.
    pub(crate) mode: u8,
    /// The same for the second stage.
    pub(crate) guest_mode: u8,
    /// The address space; that of ASID 0 where addresses are not translated.
    pub(crate) space: Space,
    /// Who makes the access; what does not matter to it is off.
    pub(crate) accessor: Accessor,
    /// MXR where it matters to the second stage.
    pub(crate) guest_mxr: bool,
}

impl ContextKey {
    /// All of it in one number that is never 0.
    fn packed(self) -> u64 {
        let Accessor { privilege, sum, mxr, as_code } = self.accessor;
        let flags = [sum, mxr, self.guest_mxr, as_code];
        let flags = flags.into_iter().fold(1, |packed, flag| packed << 1 | u64::from(flag));
        flags << 48
            | u64::from(self.guest_mode) << 40
            | u64::from(self.mode) << 36
            | privilege.code() << 32
            | u64::from(self.space.packed())
    }

    /// Where it is looked for.
    fn slot(packed: u64) -> usize {
        let folded = packed ^ packed >> 32;
        (folded ^ folded >> 16) as usize % SLOTS
    }
}

/// The numbers in use.
#[derive(Clone, Debug)]
pub(crate) struct Contexts {
    slots: [(u64, Context); SLOTS],
    last: u16,
    /// Numbers up to this one are out of use.
    retired: u16,
}

impl Contexts {
    /// No number in use.
    pub(crate) fn new() -> Self {
        Self { slots: [(0, Context::new(0)); SLOTS], last: 0, retired: 0 }
    }

    /// Whether fewer than two numbers are left. Then the caller clears the software TLBs and starts
    /// again with new [`Contexts`].
    pub(crate) fn is_nearly_used_up(&self) -> bool {
        self.last + 2 >= NUMBERS
    }

    /// The number of this context.
    pub(crate) fn number(&mut self, key: ContextKey) -> Context {
        let packed = key.packed();
        let slot = &mut self.slots[ContextKey::slot(packed)];
        if slot.0 != packed || slot.1.number() <= self.retired {
            // The context that had the slot will get a new number: its entries are lost.
            self.last += 1;
            *slot = (packed, Context::new(self.last));
        }
        slot.1
    }

    /// Takes all numbers out of use without reusing any: ends every software-TLB entry.
    pub(crate) fn retire_all(&mut self) {
        self.retired = self.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hart::Privilege;

    fn key(asid: u16, privilege: Privilege) -> ContextKey {
        ContextKey {
            mode: 8,
            guest_mode: 0,
            space: Space::host(asid),
            accessor: Accessor { privilege, ..Accessor::USER },
            guest_mxr: false,
        }
    }

    #[test]
    fn equal_keys_have_equal_numbers_and_others_not() {
        let mut contexts = Contexts::new();
        let user = contexts.number(key(1, Privilege::User));
        let supervisor = contexts.number(key(1, Privilege::Supervisor));
        assert_ne!(user, supervisor);
        assert_eq!(contexts.number(key(1, Privilege::User)), user);
        let accessor = Accessor { mxr: true, ..Accessor::USER };
        let mxr = ContextKey { accessor, ..key(1, Privilege::User) };
        assert_ne!(contexts.number(mxr), user);
        let guest = ContextKey { space: Space::guest(0, 1), ..key(1, Privilege::User) };
        assert_ne!(contexts.number(guest), user);
    }

    #[test]
    fn retired_numbers_do_not_come_back() {
        let mut contexts = Contexts::new();
        let before = contexts.number(key(1, Privilege::User));
        contexts.retire_all();
        assert_ne!(contexts.number(key(1, Privilege::User)), before);
    }

    #[test]
    fn numbers_run_out_before_they_leave_their_field() {
        let mut contexts = Contexts::new();
        while !contexts.is_nearly_used_up() {
            for asid in [1, 2] {
                assert!(contexts.number(key(asid, Privilege::User)).number() < NUMBERS);
                contexts.retire_all();
            }
        }
        assert!(contexts.last >= NUMBERS - 2);
    }
}
