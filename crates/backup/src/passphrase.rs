//! A key sealed with a passphrase: argon2id makes a key of it, AES-256-GCM seals with that. What is sealed for one name does not
//! open under another, nor with other costs than it was made with.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keep::secret::Permissions;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::BackupError;

/// What a guess costs who has the backup: about half a second.
const MEMORY_KIB: u32 = 256 << 10;
const PASSES: u32 = 3;
/// What opening may cost us, whatever a file says.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;
const SALT_OCTETS: usize = 16;
const NONCE_OCTETS: usize = 12;
/// Shorter ones are guessed.
const CHARACTERS_MIN: usize = 12;

/// Seals, and opens what was sealed. `Debug` shows nothing of it.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// As it lies in a backup.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    kdf: String,
    memory_kib: u32,
    passes: u32,
    salt: String,
    sealed: String,
}

impl Passphrase {
    /// The first line of a file that nobody else may read.
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let wrong = |why: String| BackupError::Passphrase { path: path.to_owned(), why };
        let line = Permissions::Owner.read_line(path).map_err(|error| wrong(error.to_string()))?;
        if line.len() < CHARACTERS_MIN {
            return Err(wrong(format!("its first line is shorter than {CHARACTERS_MIN} characters")));
        }
        Ok(Self(line))
    }

    /// A key as a file of a backup. `None`: the system has no random octets, or too little memory.
    pub fn sealed_key(&self, name: &str, secret: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0; SALT_OCTETS];
        rand::fill(&mut salt).ok()?;
        let key = self.key(&salt, MEMORY_KIB, PASSES)?;
        let mut sealed = secret.to_vec();
        let bound = Aad::from(bound(name, MEMORY_KIB, PASSES));
        let nonce = key.seal_in_place_append_tag(bound, &mut sealed).ok()?;
        let sealed = [nonce.as_ref().as_slice(), &sealed].concat();
        let file = KeyFile {
            kdf: "argon2id".to_owned(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            salt: STANDARD.encode(salt),
            sealed: STANDARD.encode(sealed),
        };
        serde_json::to_vec_pretty(&file).ok()
    }

    /// `None`: it is another passphrase, or the file is not what [`Passphrase::sealed_key`] made for this name.
    pub(crate) fn open(&self, name: &str, file: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let KeyFile { kdf, memory_kib, passes, salt, sealed } = serde_json::from_slice(file).ok()?;
        if kdf != "argon2id" || memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX {
            return None;
        }
        let key = self.key(&STANDARD.decode(salt).ok()?, memory_kib, passes)?;
        let sealed = STANDARD.decode(sealed).ok()?;
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_OCTETS)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let bound = Aad::from(bound(name, memory_kib, passes));
        let octets = key.open_in_place(nonce, bound, &mut plain).ok()?.len();
        plain.truncate(octets);
        Some(plain)
    }

    fn key(&self, salt: &[u8], memory_kib: u32, passes: u32) -> Option<RandomizedNonceKey> {
        let params = Params::new(memory_kib, passes, 1, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(&self.0, salt, key.as_mut_slice()).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).ok()
    }
}

fn bound(name: &str, memory_kib: u32, passes: u32) -> Vec<u8> {
    format!("{name} argon2id {memory_kib} {passes}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_sealed_opens_with_the_same_passphrase_and_name_only() {
        let ours = Passphrase(Zeroizing::new(b"correct horse battery".to_vec()));
        let sealed = ours.sealed_key("server.key", &[7; 32]).unwrap();
        assert_eq!(ours.open("server.key", &sealed).unwrap().as_slice(), [7; 32]);
        assert!(ours.open("chain.key", &sealed).is_none());
        assert!(Passphrase(Zeroizing::new(b"correct horse".to_vec())).open("server.key", &sealed).is_none());
        let cheap = String::from_utf8(sealed).unwrap().replace("\"passes\": 3", "\"passes\": 1");
        assert!(ours.open("server.key", cheap.as_bytes()).is_none());
        let dear = cheap.replace("\"passes\": 1", "\"passes\": 4000000000");
        assert!(ours.open("server.key", dear.as_bytes()).is_none());
        assert_eq!(format!("{ours:?}"), "Passphrase(…)");
    }

    #[test]
    fn a_passphrase_is_long_and_private() {
        let path = tempfile::tempdir().unwrap().keep().join("passphrase");
        for (text, mode, taken) in [
            ("correct horse battery\n", 0o600, true),
            ("correct horse battery\n", 0o644, false),
            ("short\n", 0o600, false),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Passphrase::read(&path).is_ok(), taken, "{text} {mode:o}");
        }
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
