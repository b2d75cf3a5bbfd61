//! The secrets that a configuration names by their files, and whether others have a right to those.

use std::path::Path;

use config::Permissions;
use keep::secret::{self, SecretError};
use secrecy::{ExposeSecret as _, SecretSlice};
use subtle::ConstantTimeEq as _;

/// Shortest shared secret, in octets: 80 bits of those characters that people choose.
const SECRET_OCTETS_MIN: usize = 16;

/// What a peer must show. `Debug` shows nothing of it.
#[derive(Debug)]
pub struct SharedSecret(SecretSlice<u8>);

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SharedSecretError {
    /// Its file is not read.
    #[error(transparent)]
    File(#[from] SecretError),
    /// It could be guessed.
    #[error("{path}: its first line is shorter than {SECRET_OCTETS_MIN} characters")]
    TooShort {
        /// The file.
        path: String,
    },
}

impl SharedSecret {
    /// Reads the first line of a file.
    pub fn read(path: &Path, permissions: Permissions) -> Result<Self, SharedSecretError> {
        let line = allowed(permissions).read_line(path)?;
        let line = line.trim_ascii();
        if line.len() < SECRET_OCTETS_MIN {
            return Err(SharedSecretError::TooShort { path: path.display().to_string() });
        }
        Ok(Self(line.to_vec().into()))
    }

    /// Whether this is it; how long that takes tells at most its length.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.expose_secret().ct_eq(shown).into()
    }
}

/// What the configuration says of a file.
pub fn allowed(permissions: Permissions) -> secret::Permissions {
    match permissions {
        Permissions::Owner => secret::Permissions::Owner,
        Permissions::Any => secret::Permissions::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_shared_secret_is_long_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            SharedSecret::read(&path, Permissions::Owner)
        };
        let secret = read("0123456789abcdef\nmore\n").unwrap();
        assert!(secret.is(b"0123456789abcdef"));
        for wrong in [b"0123456789abcdeF".as_slice(), b"0123456789abcde", b"0123456789abcdef0", b""] {
            assert!(!secret.is(wrong));
        }
        assert!(!format!("{secret:?}").contains("0123"));
        assert!(matches!(read("short\n0123456789abcdef"), Err(SharedSecretError::TooShort { .. })));
    }
}
