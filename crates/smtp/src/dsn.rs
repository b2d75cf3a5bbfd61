//! Delivery status notifications as the parameters of MAIL and RCPT ask for them (RFC 3461), on both sides.

use std::fmt;

/// What a delivery report gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its headers.
    Headers,
}

/// When a delivery report is wanted (RFC 3461 §4.1), as a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Notify(u8);

impl Notify {
    /// Nothing was said: a report for failure.
    pub const DEFAULT: Self = Self(0);
    /// No report at all; excludes the others.
    pub const NEVER: Self = Self(1);
    /// A report on success.
    pub const SUCCESS: Self = Self(2);
    /// A report on failure.
    pub const FAILURE: Self = Self(4);
    /// A report on delay.
    pub const DELAY: Self = Self(8);

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, for storing.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// From stored bits; unknown ones are dropped.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & 15)
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notify({self})")
    }
}

/// As the value of `NOTIFY=`.
impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has(Self::NEVER) {
            return f.write_str("NEVER");
        }
        let names = [(Self::SUCCESS, "SUCCESS"), (Self::FAILURE, "FAILURE"), (Self::DELAY, "DELAY")];
        let said = names.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| *name);
        f.write_str(&said.collect::<Vec<_>>().join(","))
    }
}
