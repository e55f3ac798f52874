//! Classes of instructions that cost alike.
//!
//! A hardware profile gives one cycle count per class; the names are the keys it uses.

/// What an instruction costs is decided by its class.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum InstructionClass {
    /// Integer arithmetic, logic, shifts and bit manipulation.
    Alu,
    /// Integer multiplication.
    Multiply,
    /// Integer division and remainder.
    Divide,
    /// Loads, integer and floating point.
    Load,
    /// Stores, integer and floating point.
    Store,
    /// Conditional branches.
    Branch,
    /// Unconditional jumps.
    Jump,
    /// Read-modify-write and load-reserved/store-conditional.
    Atomic,
    /// Accesses to control and status registers.
    Csr,
    /// Memory ordering and translation fences.
    Fence,
    /// Environment calls, trap returns, waiting.
    System,
    /// Floating-point addition, subtraction, comparison, minimum and maximum.
    FloatAdd,
    /// Floating-point multiplication.
    FloatMultiply,
    /// Floating-point division.
    FloatDivide,
    /// Floating-point square root.
    FloatSqrt,
    /// Fused multiply-add.
    FloatFma,
    /// Moves, sign injection and classification of floating-point values.
    FloatMove,
    /// Conversions between formats.
    FloatConvert,
}

impl InstructionClass {
    /// The number of classes.
    pub const COUNT: usize = Self::ALL.len();

    /// All classes, in order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Alu,
        Self::Multiply,
        Self::Divide,
        Self::Load,
        Self::Store,
        Self::Branch,
        Self::Jump,
        Self::Atomic,
        Self::Csr,
        Self::Fence,
        Self::System,
        Self::FloatAdd,
        Self::FloatMultiply,
        Self::FloatDivide,
        Self::FloatSqrt,
        Self::FloatFma,
        Self::FloatMove,
        Self::FloatConvert,
    ];

    /// The key of the class in a hardware profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alu => "alu",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
            Self::Load => "load",
            Self::Store => "store",
            Self::Branch => "branch",
            Self::Jump => "jump",
            Self::Atomic => "atomic",
            Self::Csr => "csr",
            Self::Fence => "fence",
            Self::System => "system",
            Self::FloatAdd => "float_add",
            Self::FloatMultiply => "float_multiply",
            Self::FloatDivide => "float_divide",
            Self::FloatSqrt => "float_sqrt",
            Self::FloatFma => "float_fma",
            Self::FloatMove => "float_move",
            Self::FloatConvert => "float_convert",
        }
    }

    /// The class with this key.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether instructions of the class read or write memory.
    pub const fn accesses_memory(self) -> bool {
        matches!(self, Self::Load | Self::Store | Self::Atomic)
    }

    /// Whether all that an instruction of the class does is to write an integer register.
    pub const fn is_pure_integer(self) -> bool {
        matches!(self, Self::Alu | Self::Multiply | Self::Divide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions_and_names_are_keys() {
        for (number, class) in InstructionClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number);
            assert_eq!(InstructionClass::from_name(class.name()), Some(class));
        }
        assert_eq!(InstructionClass::from_name("float"), None);
    }
}
