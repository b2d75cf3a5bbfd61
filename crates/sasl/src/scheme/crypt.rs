//! The hashes of the form `$id$…`: argon2id, SHA-crypt, bcrypt.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Argon2Cost, HashError, SchemeError};

const MEMORY_KIB_MAX: u32 = 1_048_576;
const PASSES_MAX: u32 = 32;
const LANES_MAX: u32 = 16;
const SHA_ROUNDS_MAX: u32 = 1_000_000;
const BCRYPT_COST_MAX: u32 = 15;

/// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, within the bounds.
pub(super) struct Phc(PasswordHash);

impl Phc {
    pub(super) fn parse(text: &str) -> Result<Self, SchemeError> {
        let malformed = SchemeError::Malformed("ARGON2ID");
        let hash = PasswordHash::new(text).map_err(|_| malformed)?;
        let params = Params::try_from(&hash).map_err(|_| malformed)?;
        let whole = hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some();
        if !whole || hash.version.is_some_and(|version| Version::try_from(version).is_err()) {
            return Err(malformed);
        }
        if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX || params.p_cost() > LANES_MAX {
            return Err(SchemeError::TooDear("ARGON2ID"));
        }
        Ok(Self(hash))
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        Argon2::default().verify_password(password, &self.0).is_ok()
    }
}

/// Whether a hash costs a thief no less than `cost` would.
pub(super) fn is_at_least(hash: &Phc, cost: Argon2Cost) -> bool {
    Params::try_from(&hash.0).is_ok_and(|params| params.m_cost() >= cost.memory_kib && params.t_cost() >= cost.passes)
}

/// Makes `{ARGON2ID}$argon2id$v=19$…`.
pub(super) fn argon2id(password: &[u8], salt: [u8; 16], cost: Argon2Cost) -> Result<String, HashError> {
    let Argon2Cost { memory_kib: m, passes: t, lanes: p } = cost;
    let (m, t, p) = (m.min(MEMORY_KIB_MAX), t.min(PASSES_MAX), p.min(LANES_MAX));
    let params = Params::new(m, t, p, Some(32)).map_err(HashError::Cost)?;
    let mut output = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password, &salt, &mut output).map_err(HashError::Cost)?;
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    Ok(format!("{{ARGON2ID}}$argon2id$v=19$m={m},t={t},p={p}${salt}${output}"))
}

/// `$5$` or `$6$`, `[rounds=…$]salt$hash`, within the bounds.
pub(super) struct ShaCrypt(String);

impl ShaCrypt {
    pub(super) fn parse(scheme: &'static str, text: &str) -> Result<Self, SchemeError> {
        let (id, hash_octets) = if scheme == "SHA512-CRYPT" { ("6", 86) } else { ("5", 43) };
        let malformed = SchemeError::Malformed(scheme);
        let mut fields = text.split('$');
        if fields.next() != Some("") || fields.next() != Some(id) {
            return Err(malformed);
        }
        let mut salt = fields.next().ok_or(malformed)?;
        if let Some(rounds) = salt.strip_prefix("rounds=") {
            check_rounds(rounds, scheme)?;
            salt = fields.next().ok_or(malformed)?;
        }
        let hash = fields.next().ok_or(malformed)?;
        let whole = is_crypt64(salt) && salt.len() <= 16 && is_crypt64(hash) && hash.len() == hash_octets;
        if !whole || fields.next().is_some() {
            return Err(malformed);
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        sha_crypt::ShaCrypt::default().verify_password(password, self.0.as_str()).is_ok()
    }
}

fn check_rounds(rounds: &str, scheme: &'static str) -> Result<(), SchemeError> {
    match rounds.parse::<u32>() {
        Ok(1_000..=SHA_ROUNDS_MAX) if !rounds.starts_with('+') => Ok(()),
        Ok(1_000_001..) => Err(SchemeError::TooDear(scheme)),
        _ => Err(SchemeError::Malformed(scheme)),
    }
}

/// `$2y$NN$` and 53 letters. `$2x$` is left out: it marks hashes of an implementation with a fault.
pub(super) fn bcrypt(text: &str) -> Result<String, SchemeError> {
    let malformed = SchemeError::Malformed("BLF-CRYPT");
    let mut fields = text.split('$');
    let (Some(""), Some("2a" | "2b" | "2y"), Some(cost), Some(rest), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(malformed);
    };
    let cost_well = cost.len() == 2 && cost.bytes().all(|octet| octet.is_ascii_digit());
    if !cost_well || rest.len() != 53 || !is_crypt64(rest) || text.parse::<bcrypt::HashParts>().is_err() {
        return Err(malformed);
    }
    match cost.parse::<u32>() {
        Ok(4..=BCRYPT_COST_MAX) => Ok(text.to_owned()),
        Ok(16..) => Err(SchemeError::TooDear("BLF-CRYPT")),
        _ => Err(malformed),
    }
}

/// The letters of crypt(3).
fn is_crypt64(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'/'))
}
