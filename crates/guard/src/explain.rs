//! The id of one decision.

use std::fmt;

/// Eight characters that stand in the reply, the log and the metric of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExplainId([u8; Self::LEN]);

impl ExplainId {
    /// Its length in characters.
    pub const LEN: usize = 8;
    /// Digits and lower-case letters without `i`, `l`, `o`, `u`: an id is read out over the telephone.
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

    /// From random bits, of which 40 are used.
    pub fn from_random(random: u64) -> Self {
        let mut id = [0; Self::LEN];
        for (n, place) in id.iter_mut().enumerate() {
            let digit = (random >> (5 * n)) & 31;
            *place = Self::ALPHABET[usize::try_from(digit).unwrap_or(0)];
        }
        Self(id)
    }

    /// As an operator types it, in either case; `None` if it is no id.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let id: [u8; Self::LEN] = lower.as_bytes().try_into().ok()?;
        id.iter().all(|byte| Self::ALPHABET.contains(byte)).then_some(Self(id))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for ExplainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_prints_and_parses(random: u64) {
            let id = ExplainId::from_random(random);
            prop_assert_eq!(id.as_str().len(), ExplainId::LEN);
            prop_assert_eq!(ExplainId::parse(&id.to_string().to_uppercase()), Some(id));
        }

        #[test]
        fn parsing_an_id_never_fails_badly(text: String) {
            let _ = ExplainId::parse(&text);
        }
    }
}
