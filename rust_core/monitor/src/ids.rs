//! Names of things on one host.

/// A VM of one host. Numbers are given in order of creation and never again.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VmId(pub u32);

impl std::fmt::Display for VmId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "VM {}", self.0)
    }
}
