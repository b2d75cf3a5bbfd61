//! Octets that must not be seen: wiped when dropped, blank in every `Debug`.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password or a device secret. Wiped when dropped; `Debug` is blank; compared in constant time.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the octets over, without a copy.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets themselves. The name is to be found by a search.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it; such a secret never verifies.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(octets: &[u8]) -> Self {
        Self::new(octets.to_vec())
    }
}

impl From<&str> for SecretBytes {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for SecretBytes {}

#[cfg(test)]
mod tests {
    use super::SecretBytes;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let secret = SecretBytes::from("correct horse");
        assert_eq!(format!("{secret:?}"), "SecretBytes(…)");
    }

    #[test]
    fn equality_is_of_the_octets() {
        assert_eq!(SecretBytes::from("a"), SecretBytes::from(&b"a"[..]));
        assert_ne!(SecretBytes::from("a"), SecretBytes::from("ab"));
    }
}
