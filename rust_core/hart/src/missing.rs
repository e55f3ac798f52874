//! Extensions that a processor lacks of those that its profile names.
//!
//! What belongs to one of them is an illegal instruction there, as the architecture has it. One thing
//! is this simulator's own: without C, a jump to an address that is no multiple of four does not trap
//! itself, but what lies there is illegal. Whoever emulates C has the same to do.

use crate::isa::Extension;

/// A set of extensions.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Missing(u16);

/// The letters that can be missing, each with the extensions that go with it: D needs F.
const LETTERS: [(&str, &[Extension]); 5] = [
    ("a", &[Extension::A]),
    ("b", &[Extension::Zba, Extension::Zbb, Extension::Zbs]),
    ("c", &[Extension::C]),
    ("d", &[Extension::D]),
    ("f", &[Extension::F, Extension::D]),
];

impl Missing {
    /// Nothing is missing.
    pub const NONE: Self = Self(0);

    /// What these letters stand for; `None` if one of them is none that can be missing.
    pub fn from_letters<'a>(letters: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        letters.into_iter().try_fold(Self::NONE, |missing, letter| {
            let (_, extensions) = LETTERS.iter().find(|(known, _)| *known == letter)?;
            let bits = extensions.iter().map(|extension| Self::bit(*extension));
            Some(Self(bits.fold(missing.0, |all, bit| all | bit)))
        })
    }

    const fn bit(extension: Extension) -> u16 {
        1 << extension as u16
    }

    /// Whether the instructions of an extension are missing.
    pub const fn contains(self, extension: Extension) -> bool {
        self.0 & Self::bit(extension) != 0
    }

    /// Whether there is everything.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The letters' bits in `misa`.
    pub(crate) fn letters(self) -> u64 {
        let has = |extensions: &[Extension]| extensions.iter().all(|each| self.contains(*each));
        let missing = LETTERS.iter().filter(|(_, extensions)| has(extensions));
        missing.map(|(letter, _)| 1 << (letter.as_bytes()[0] - b'a')).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_f_there_is_no_d() {
        let missing = Missing::from_letters(["f"]).unwrap();
        assert!(missing.contains(Extension::F) && missing.contains(Extension::D));
        assert_eq!(missing.letters(), 1 << 5 | 1 << 3);
        let missing = Missing::from_letters(["d", "b"]).unwrap();
        assert!(!missing.contains(Extension::F) && missing.contains(Extension::Zbs));
        assert_eq!(missing.letters(), 1 << 3 | 1 << 1);
    }

    #[test]
    fn only_what_a_program_can_do_without_may_be_missing() {
        assert_eq!(Missing::from_letters([]), Some(Missing::NONE));
        assert!(Missing::NONE.is_empty());
        for letter in ["i", "m", "A", "", "zba"] {
            assert_eq!(Missing::from_letters([letter]), None, "{letter}");
        }
    }
}
