//! What system calls fail with.

use crate::hardware::Unavailable;
use crate::process::Wait;
use std::fmt;

/// Declares the errors with their numbers.
macro_rules! errors {
    ($(#[doc = $doc:literal] $name:ident = $number:literal,)*) => {
        /// An error number, the same on every instruction set that is offered here.
        #[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
        #[repr(u16)]
        pub enum Errno {
            $(#[doc = $doc] $name = $number,)*
        }

        impl fmt::Display for Errno {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = match self {
                    $(Self::$name => $doc,)*
                };
                formatter.write_str(text.trim().trim_end_matches('.'))
            }
        }
    };
}

errors! {
    /// The operation is not permitted.
    NotPermitted = 1,
    /// No such file or directory.
    NoEntry = 2,
    /// No such process.
    NoProcess = 3,
    /// A signal interrupted the call.
    Interrupted = 4,
    /// Input or output failed.
    InputOutput = 5,
    /// The argument list is too long.
    ArgumentsTooLong = 7,
    /// The file is not a program for this machine.
    NotExecutable = 8,
    /// The file is not open, or not for this.
    BadFile = 9,
    /// No child process.
    NoChild = 10,
    /// The call would have to wait.
    Again = 11,
    /// There is not enough memory.
    NoMemory = 12,
    /// The permissions forbid it.
    AccessDenied = 13,
    /// An address is not the program's.
    BadAddress = 14,
    /// The file exists.
    Exists = 17,
    /// Not on this file system.
    CrossDevice = 18,
    /// Not a directory.
    NotDirectory = 20,
    /// A directory.
    IsDirectory = 21,
    /// An argument makes no sense.
    Invalid = 22,
    /// The process has as many open files as it may.
    TooManyFiles = 24,
    /// The file has no such controls.
    NotTerminal = 25,
    /// The file would be too large.
    FileTooLarge = 27,
    /// No space is left.
    NoSpace = 28,
    /// The file has no position.
    IllegalSeek = 29,
    /// The file tree may not be changed.
    ReadOnly = 30,
    /// Nobody reads the pipe.
    BrokenPipe = 32,
    /// The result does not fit.
    Range = 34,
    /// The name is too long.
    NameTooLong = 36,
    /// There is no such call.
    NoCall = 38,
    /// The directory holds something.
    NotEmpty = 39,
    /// Symbolic links lead in circles.
    TooManyLinks = 40,
    /// The time is over.
    TimedOut = 110,
}

/// Why a call did not end with a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stop {
    /// It failed.
    Error(Errno),
    /// A page that it needs cannot be provided now. Nothing has changed; the call is made again.
    Unavailable(Unavailable),
    /// The thread waits. The call is made again when the wait ends, unless the end sets its result.
    Wait(Wait),
    /// The thread goes on elsewhere: what it returns to is set already.
    Elsewhere,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Error(errno)
    }
}

impl From<Unavailable> for Stop {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}
