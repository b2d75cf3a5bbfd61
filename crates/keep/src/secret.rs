//! Files that hold secrets: read only where nobody else can read or change them, unless the operator says that it is meant so.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::read::{Accepts, STALL, allow, in_time};

/// Longest file, in octets; a private key or a password has a hundredth of it.
const SECRET_OCTETS_MAX: u64 = 1 << 20;

/// Who may have a right to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Permissions {
    /// Its owner alone, who is this process's user or root.
    #[default]
    Owner,
    /// Anybody: how a container's secrets are mounted is not ours to say.
    Any,
}

/// How others have a right to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposed {
    /// Its mode lets group or others in.
    Mode(u32),
    /// It belongs to somebody else.
    Owner(u32),
}

impl Exposed {
    /// What is wrong, and what to do.
    pub fn why(self) -> &'static str {
        match self {
            Self::Mode(_) => {
                "others may read it; make it mode 0600, or write permissions = \"any\" beside it in the configuration"
            }
            Self::Owner(_) => {
                "it belongs neither to this user nor to root; chown it, or write permissions = \"any\" beside it in the configuration"
            }
        }
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode(mode) => write!(f, "mode {mode:04o}: {}", self.why()),
            Self::Owner(uid) => write!(f, "user {uid}: {}", self.why()),
        }
    }
}

/// Why a secret is not read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be opened or read.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others have a right to it.
    #[error("{path}: {exposed}", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How.
        exposed: Exposed,
    },
    /// No secret is so long.
    #[error("{path}: longer than {SECRET_OCTETS_MAX} octets", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

impl SecretError {
    /// Whether others have a right to the file.
    pub fn is_exposure(&self) -> bool {
        matches!(self, Self::Exposed { .. })
    }
}

impl Permissions {
    /// Whether a file may be used. To be asked of the opened file, which is then the one that is read.
    pub fn check(self, metadata: &Metadata) -> Result<(), Exposed> {
        let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
        if self == Self::Any {
            return Ok(());
        }
        if mode & 0o077 != 0 {
            return Err(Exposed::Mode(mode));
        }
        let is_ours = owner == 0 || owner == nix::unistd::geteuid().as_raw();
        if is_ours { Ok(()) } else { Err(Exposed::Owner(owner)) }
    }

    /// The octets of a file, which is not waited for longer than a few seconds.
    pub fn read(self, path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let at = path.to_owned();
        let read = in_time(STALL, move || Ok(self.read_here(&at)));
        read.map_err(|error| SecretError::Io { path: path.to_owned(), error })?
    }

    fn read_here(self, path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        // To open a pipe is to wait for somebody who writes.
        let failed = |error| SecretError::Io { path: path.to_owned(), error };
        let kind = std::fs::metadata(path).map_err(failed)?.file_type();
        allow(kind, Accepts::RegularFile).map_err(failed)?;
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        self.check(&metadata).map_err(|exposed| SecretError::Exposed { path: path.to_owned(), exposed })?;
        // Room for all of it at once: a `Vec` that grows leaves its old octets behind.
        let room = usize::try_from(metadata.len().min(SECRET_OCTETS_MAX)).unwrap_or(0) + 1;
        let mut octets = Zeroizing::new(Vec::with_capacity(room));
        file.take(SECRET_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(failed)?;
        if octets.len() as u64 > SECRET_OCTETS_MAX {
            return Err(SecretError::TooLong { path: path.to_owned() });
        }
        Ok(octets)
    }

    /// The first line of a file, without its line end.
    pub fn read_line(self, path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let octets = self.read(path)?;
        let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
        Ok(Zeroizing::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_that_others_may_read_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one\r\ntwo\n").unwrap();
        for mode in [0o600, 0o400, 0o640, 0o644, 0o604, 0o660, 0o620, 0o610] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = Permissions::Owner.read_line(&path);
            assert_eq!(read.as_ref().is_err_and(SecretError::is_exposure), mode & 0o077 != 0, "{mode:o}");
            assert_eq!(Permissions::Any.read_line(&path).unwrap().as_slice(), b"one");
        }
    }

    #[test]
    fn a_secret_of_somebody_else_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            assert!(Permissions::Owner.read(&path).is_err_and(|error| error.is_exposure()));
            assert!(Permissions::Any.read(&path).is_ok());
        }
        assert!(Permissions::Owner.read(&dir.path().join("none")).is_err_and(|error| !error.is_exposure()));
    }
}
