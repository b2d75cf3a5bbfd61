//! Wrong guesses are told apart by a keyed hash, so that the same wrong password counts once and is stored nowhere.

use crate::hash::hmac_sha256;

/// A keyed hash of a guess: enough to see the same one again, useless for anything else. `login` is in lower case.
pub fn guess_hash(key: &[u8; 32], login: &str, guess: &[u8]) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&hmac_sha256(key, &[login.as_bytes(), &[0], guess])[..16]);
    hash
}
