//! Rules that a test breaks on purpose, to see that breaking them is noticed. Outside tests none
//! ever is broken.

/// A rule that can be broken.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Hole {
    /// What is known of an instruction is what is known of the one behind it.
    NextPosition,
    /// Registers that a sequence has spilled are not restored.
    Spills,
    /// The guest's instructions retire an instruction later.
    Marks,
    /// Translations stay when the guest writes what they were made from.
    Writes,
    /// Code that is translated can still be written.
    Protection,
    /// Translations stay when a device writes what they were made from.
    Devices,
    /// Sheets stay mapped when the guest fences the page that they were made from.
    Fences,
    /// The cache stays where the guest has mapped something.
    Conflicts,
    /// Jumps to code that is given up stay.
    Chains,
    /// Comparisons that lead to code that is given up stay.
    Sieve,
}

/// Whether a test breaks the rule.
#[cfg(not(test))]
pub(super) const fn is_open(_: Hole) -> bool {
    false
}

#[cfg(test)]
thread_local! {
    static OPEN: std::cell::Cell<Option<Hole>> = const { std::cell::Cell::new(None) };
}

/// Whether this thread's test breaks the rule.
#[cfg(test)]
pub(super) fn is_open(hole: Hole) -> bool {
    OPEN.get() == Some(hole)
}

/// Does something with a rule broken.
#[cfg(test)]
pub(super) fn with<T>(hole: Hole, act: impl FnOnce() -> T) -> T {
    OPEN.set(Some(hole));
    let result = act();
    OPEN.set(None);
    result
}
