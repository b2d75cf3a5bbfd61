//! Where a client is: the country of its address and its autonomous system, as a file of the operator's has them. A guess, which can
//! only be held against a mail, or speak for it against such a suspicion.

use std::fmt;

use serde::Serialize;

/// A country's code by ISO 3166-1: two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country([u8; 2]);

/// What is known of where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Origin {
    /// Its country; `None`: not known.
    pub country: Option<Country>,
    /// The number of its autonomous system (RFC 6793); `None`: not known.
    pub asn: Option<u32>,
}

impl Country {
    /// The code as it is written; `None`: these are not two capital letters.
    pub fn parse(code: &str) -> Option<Self> {
        Self::of(code.as_bytes().try_into().ok()?)
    }

    /// The same for its letters.
    pub fn of(code: [u8; 2]) -> Option<Self> {
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}
