//! What no meter counts: the constants that a handler's cost rests on.

/// A constant that was chosen, with the reason for it.
///
/// Crates declare theirs with [`assumptions!`](crate::assumptions), once each, in a module
/// `assumed`; so the list of them is complete, and every result names them.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Assumption {
    /// Its dotted name.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// What it counts.
    pub unit: &'static str,
    /// Why it is what it is.
    pub reason: &'static str,
}

/// Declares constants of type [`Assumption`], and the list `ALL` of them.
///
/// ```
/// dcsim_machine::assumptions! {
///     DISPATCH: "example.dispatch" = 8 instructions, "Find the handler of a cause.";
/// }
/// assert_eq!(ALL, [DISPATCH]);
/// assert_eq!((DISPATCH.value, DISPATCH.unit), (8, "instructions"));
/// ```
#[macro_export]
macro_rules! assumptions {
    ($($constant:ident: $name:literal = $value:literal $unit:ident, $reason:literal;)+) => {
        $(
            #[doc = $reason]
            pub const $constant: $crate::Assumption = $crate::Assumption {
                name: $name,
                value: $value,
                unit: stringify!($unit),
                reason: $reason,
            };
        )+

        /// All of them.
        pub const ALL: &[$crate::Assumption] = &[$($constant),+];
    };
}
