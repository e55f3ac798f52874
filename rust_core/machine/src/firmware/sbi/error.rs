//! The standard errors (chapter "Binary Encoding").

/// Why a call failed.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(i64)]
pub enum SbiError {
    /// It failed for another reason.
    Failed = -1,
    /// The extension or function is not there.
    NotSupported = -2,
    /// A parameter is invalid.
    InvalidParameter = -3,
    /// The caller may not do this.
    Denied = -4,
    /// An address is invalid.
    InvalidAddress = -5,
    /// It is available already.
    AlreadyAvailable = -6,
}

impl SbiError {
    /// The value of `a0`.
    pub const fn code(self) -> i64 {
        self as i64
    }
}
