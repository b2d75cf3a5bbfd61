//! The hashes that are base64 of digest and salt, and Dovecot's PBKDF2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::SchemeError;
use crate::hash::unhex;

const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;

/// Which digest is under the salt.
#[derive(Clone, Copy)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    const fn octets(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    const fn scheme(self) -> &'static str {
        match self {
            Self::Sha1 => "SSHA",
            Self::Sha256 => "SSHA256",
            Self::Sha512 => "SSHA512",
        }
    }
}

/// base64 of digest(password, salt) and salt.
pub(super) struct Salted {
    digest: Digest,
    /// Digest, then salt.
    octets: Vec<u8>,
}

impl Salted {
    pub(super) fn parse(digest: Digest, text: &str) -> Result<Self, SchemeError> {
        let octets = STANDARD.decode(text).map_err(|_| SchemeError::Malformed(digest.scheme()))?;
        // Without a salt it would be another scheme, and a weaker one.
        if octets.len() <= digest.octets() {
            return Err(SchemeError::Malformed(digest.scheme()));
        }
        Ok(Self { digest, octets })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let (expected, salt) = self.octets.split_at(self.digest.octets());
        let same = match self.digest {
            Digest::Sha1 => Sha1::new().chain_update(password).chain_update(salt).finalize().ct_eq(expected),
            Digest::Sha256 => Sha256::new().chain_update(password).chain_update(salt).finalize().ct_eq(expected),
            Digest::Sha512 => Sha512::new().chain_update(password).chain_update(salt).finalize().ct_eq(expected),
        };
        same.into()
    }
}

/// `$1$salt$rounds$` and 40 hexadecimal digits: PBKDF2-HMAC-SHA-1, with the salt's letters as they stand.
pub(super) struct Pbkdf2 {
    salt: String,
    rounds: u32,
    expected: [u8; 20],
}

impl Pbkdf2 {
    pub(super) fn parse(text: &str) -> Result<Self, SchemeError> {
        let malformed = SchemeError::Malformed("PBKDF2");
        let mut fields = text.split('$');
        let (Some(""), Some("1"), Some(salt), Some(rounds), Some(digits), None) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(malformed);
        };
        let rounds = rounds.parse().map_err(|_| malformed)?;
        let expected = unhex(digits.as_bytes()).ok_or(malformed)?;
        match rounds {
            0 => Err(malformed),
            1..=PBKDF2_ROUNDS_MAX if !salt.is_empty() => Ok(Self { salt: salt.to_owned(), rounds, expected }),
            1..=PBKDF2_ROUNDS_MAX => Err(malformed),
            _ => Err(SchemeError::TooDear("PBKDF2")),
        }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut reckoned = [0; 20];
        pbkdf2::pbkdf2_hmac::<Sha1>(password, self.salt.as_bytes(), self.rounds, &mut reckoned);
        reckoned.ct_eq(&self.expected).into()
    }
}
