//! Passwords as stored: `{SCHEME}hash`, in the spelling of Dovecot, so that existing users can be brought along.
//!
//! | scheme | read and verified | made |
//! |---|---|---|
//! | `{ARGON2ID}` | yes | [`hash`] |
//! | `{SHA512-CRYPT}` `{SHA256-CRYPT}` `{BLF-CRYPT}` `{CRYPT}` with one of these | yes | no |
//! | `{SSHA512}` `{SSHA256}` `{SSHA}` `{PBKDF2}` | yes | no |
//! | `{SCRAM-SHA-256}` `{CRAM-MD5}` | yes | [`crate::scram::Keys`]; no |
//! | `{PLAIN}` `{CLEAR}` `{CLEARTEXT}` | never; [`import`] gives the password to be hashed anew | no |
//!
//! A bare `$argon2id$`, `$5$`, `$6$`, `$2a$`, `$2b$`, `$2y$` is known by itself. Every cost parameter has a bound, so a hash
//! from a hostile file cannot keep the processor for ever.

mod crypt;
mod salted;

use crate::prepare::{self, Unfit};
use crate::{SecretBytes, cram, scram};

/// Longest stored hash, in octets.
pub const STORED_OCTETS_MAX: usize = 1024;

/// Why a stored hash cannot be verified against at all. The hash is not repeated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// Not of the form `{SCHEME}hash`, nor a known `$…$`.
    #[error("password scheme is unknown")]
    Unknown,
    /// The scheme is known, the rest is not a hash of it.
    #[error("{0} hash is malformed")]
    Malformed(&'static str),
    /// A cost parameter is beyond its bound.
    #[error("{0} hash is dearer than is allowed here")]
    TooDear(&'static str),
    /// A password in clear is not verified against; import it.
    #[error("password is stored in clear; import it")]
    Clear,
}

/// Why no hash was made.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The password may not be set.
    #[error("password: {0}")]
    Unfit(#[from] Unfit),
    /// The cost is out of what argon2 can do.
    #[error("argon2id: {0}")]
    Cost(argon2::Error),
}

/// What a hash costs (RFC 9106). More makes a stolen database harder to guess through, and each login slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB, 8 to 1,048,576. Default 19,456.
    pub memory_kib: u32,
    /// Passes over it, 1 to 32. Default 2.
    pub passes: u32,
    /// Lanes, 1 to 16. Default 1.
    pub lanes: u32,
}

impl Default for Argon2Cost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Makes an `{ARGON2ID}` hash. `salt` is fresh random. Belongs on a blocking thread.
pub fn hash(password: &[u8], salt: [u8; 16], cost: Argon2Cost) -> Result<String, HashError> {
    let password = prepare::password(password)?;
    let opaque = prepare::opaque(password);
    crypt::argon2id(opaque.as_ref().map_or(password, |opaque| opaque.expose()), salt, cost)
}

/// Whether the password is the one that was hashed. An unfit password ([`prepare::password`]; the empty one: T13) is wrong
/// against every hash. As dear as the hash was made; belongs on a blocking thread.
///
/// A password with other blanks than U+0020 is tried as we hash it, and then as it is: a hash from elsewhere is of that.
pub fn verify(stored: &str, password: &[u8]) -> Result<bool, SchemeError> {
    let hash = Hash::parse(stored)?;
    let Ok(password) = prepare::password(password) else { return Ok(false) };
    let opaque = prepare::opaque(password);
    Ok(opaque.is_some_and(|opaque| hash.verify(opaque.expose())) || hash.verify(password))
}

/// Whether [`verify`] could use this, without verifying anything: for an import, or when a hash is set by hand.
pub fn check(stored: &str) -> Result<(), SchemeError> {
    Hash::parse(stored).map(drop)
}

/// Whether a new hash should take the place of this one when its password is next seen.
pub fn is_dated(stored: &str, cost: Argon2Cost) -> bool {
    !matches!(Hash::parse(stored), Ok(Hash::Argon2id(hash)) if crypt::is_at_least(&hash, cost))
}

/// What a line of somebody's password file comes to.
#[derive(Debug)]
pub enum Imported {
    /// A hash that can be stored as it is.
    Hash(String),
    /// A password that was in clear: hash it, and make the other keys while it is at hand.
    Password(SecretBytes),
}

/// Reads a stored password for import: `{PLAIN}` is allowed here, and only here.
pub fn import(stored: &str) -> Result<Imported, SchemeError> {
    match check(stored) {
        Ok(()) => Ok(Imported::Hash(stored.to_owned())),
        Err(SchemeError::Clear) => {
            let (_, password) = split(stored).ok_or(SchemeError::Unknown)?;
            let password = prepare::password(password.as_bytes()).map_err(|_| SchemeError::Malformed("PLAIN"))?;
            Ok(Imported::Password(password.into()))
        }
        Err(error) => Err(error),
    }
}

/// A stored hash, read and within its bounds.
enum Hash {
    Argon2id(crypt::Phc),
    ShaCrypt(crypt::ShaCrypt),
    Bcrypt(String),
    Salted(salted::Salted),
    Pbkdf2(salted::Pbkdf2),
    Scram(scram::Keys),
    Cram(cram::Contexts),
}

impl Hash {
    fn parse(stored: &str) -> Result<Self, SchemeError> {
        if stored.len() > STORED_OCTETS_MAX {
            return Err(SchemeError::Malformed("overlong"));
        }
        let (scheme, text) = split(stored).ok_or(SchemeError::Unknown)?;
        match scheme.to_ascii_uppercase().as_str() {
            "" | "CRYPT" => Self::by_dollars(text),
            "ARGON2ID" => crypt::Phc::parse(text).map(Self::Argon2id),
            "SHA512-CRYPT" => crypt::ShaCrypt::parse("SHA512-CRYPT", text).map(Self::ShaCrypt),
            "SHA256-CRYPT" => crypt::ShaCrypt::parse("SHA256-CRYPT", text).map(Self::ShaCrypt),
            "BLF-CRYPT" => crypt::bcrypt(text).map(Self::Bcrypt),
            "SSHA" => salted::Salted::parse(salted::Digest::Sha1, text).map(Self::Salted),
            "SSHA256" => salted::Salted::parse(salted::Digest::Sha256, text).map(Self::Salted),
            "SSHA512" => salted::Salted::parse(salted::Digest::Sha512, text).map(Self::Salted),
            "PBKDF2" => salted::Pbkdf2::parse(text).map(Self::Pbkdf2),
            "SCRAM-SHA-256" => scram::Keys::parse(text).map(Self::Scram).ok_or(SchemeError::Malformed("SCRAM-SHA-256")),
            "CRAM-MD5" => cram::Contexts::parse(text).map(Self::Cram).ok_or(SchemeError::Malformed("CRAM-MD5")),
            "PLAIN" | "CLEAR" | "CLEARTEXT" => Err(SchemeError::Clear),
            _ => Err(SchemeError::Unknown),
        }
    }

    /// By crypt(3)'s own prefix, as in a shadow file.
    fn by_dollars(text: &str) -> Result<Self, SchemeError> {
        match text.split('$').nth(1) {
            Some("argon2id") => crypt::Phc::parse(text).map(Self::Argon2id),
            Some("6") => crypt::ShaCrypt::parse("SHA512-CRYPT", text).map(Self::ShaCrypt),
            Some("5") => crypt::ShaCrypt::parse("SHA256-CRYPT", text).map(Self::ShaCrypt),
            Some("2a" | "2b" | "2y") => crypt::bcrypt(text).map(Self::Bcrypt),
            _ => Err(SchemeError::Unknown),
        }
    }

    fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2id(hash) => hash.verify(password),
            Self::ShaCrypt(hash) => hash.verify(password),
            // An error can only be a form that `crypt::bcrypt` let pass: it fits nothing.
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Salted(hash) => hash.verify(password),
            Self::Pbkdf2(hash) => hash.verify(password),
            Self::Scram(keys) => keys.verify(password),
            Self::Cram(contexts) => contexts.verify(password),
        }
    }
}

/// `{SCHEME}` and the rest; no scheme before a `$`.
fn split(stored: &str) -> Option<(&str, &str)> {
    if stored.starts_with('$') {
        return Some(("", stored));
    }
    stored.strip_prefix('{')?.split_once('}')
}

#[cfg(test)]
mod tests;
