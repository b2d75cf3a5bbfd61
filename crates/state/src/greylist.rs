//! Greylisting: who comes back after a while is remembered for long, and with him all servers of his pool.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// Octets of a key's digest.
pub(crate) const DIGEST_OCTETS: usize = 16;

/// What a key is kept by; a stranger cannot make two keys of one.
pub(crate) type Digest = [u8; DIGEST_OCTETS];

/// Who sends to whom. The fields are kept apart: `a` with `bc` is not `ab` with `c` (T32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GreylistKey<'a> {
    /// The servers of which each may come back for any other: a domain that authorizes them, or a network.
    pub pool: &'a str,
    /// The reverse-path's domain; empty for the null reverse-path.
    pub sender_domain: &'a str,
    /// The forward-path.
    pub recipient: &'a str,
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GreylistTerms {
    /// Who comes back sooner waits on.
    pub delay: Duration,
    /// Who comes back later than this is new. Far longer than any sender's pauses between attempts.
    pub window: Duration,
    /// How long it is remembered that a pool came back for a sender domain, from its last mail on.
    pub memory: Duration,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greylisted {
    /// It is seen for the first time, and noted.
    New,
    /// It came back too soon; so long to wait.
    Waiting(Duration),
    /// It came back, now or earlier.
    Passed,
}

impl GreylistKey<'_> {
    /// Of one mail that is waited for.
    pub(crate) fn sight(&self) -> Digest {
        digest(&[b"sight", self.pool.as_bytes(), self.sender_domain.as_bytes(), self.recipient.as_bytes()])
    }

    /// Of who is known once he came back.
    pub(crate) fn passed(&self) -> Digest {
        digest(&[b"passed", self.pool.as_bytes(), self.sender_domain.as_bytes()])
    }
}

/// Each part with its length before it.
fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let whole = hash.finalize();
    let mut digest = [0; DIGEST_OCTETS];
    digest.iter_mut().zip(whole.iter()).for_each(|(to, from)| *to = *from);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t32_the_fields_of_a_key_are_kept_apart() {
        let keys = [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd"), ("abc", "", "d"), ("", "abc", "d")];
        let keys = keys.map(|(pool, sender_domain, recipient)| GreylistKey { pool, sender_domain, recipient });
        for (at, one) in keys.iter().enumerate() {
            for other in &keys[at + 1..] {
                assert_ne!(one.sight(), other.sight(), "{one:?} {other:?}");
            }
        }
        assert_ne!(keys[0].sight(), keys[0].passed());
    }
}
