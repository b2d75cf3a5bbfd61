//! The server key: 32 random octets in a file of mode 0600. It seals device secrets in the database and is the root of
//! every keyed hash of the server. Whoever has the database but not this file has no device secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use keep::secret::Permissions;
use zeroize::Zeroizing;

use crate::error::OpenError;

/// Octets of the key and of everything derived from it.
pub const KEY_OCTETS: usize = 32;
const NONCE_OCTETS: usize = 12;

/// The server key. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ServerKey(Zeroizing<[u8; KEY_OCTETS]>);

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

impl ServerKey {
    /// Reads the key file, or makes it when it is missing. A file that others may read is refused.
    pub fn load_or_create(path: &Path) -> Result<Self, OpenError> {
        Self::load_or_create_with(path, Permissions::Owner)
    }

    /// The same, where others may have a right to the file.
    pub fn load_or_create_with(path: &Path, permissions: Permissions) -> Result<Self, OpenError> {
        let at = path.to_owned();
        let looked = keep::in_time(keep::read::STALL, move || Ok(Self::load_or_create_here(&at, permissions)));
        looked.map_err(|error| bad_file(path, "cannot be read", Some(error)))?
    }

    /// Reads the key file; none is made.
    pub fn load(path: &Path, permissions: Permissions) -> Result<Self, OpenError> {
        let at = path.to_owned();
        let looked = keep::in_time(keep::read::STALL, move || Ok(Self::load_here(&at, permissions)));
        looked.map_err(|error| bad_file(path, "cannot be read", Some(error)))?
    }

    /// Writes it to a file of mode 0600, durably, in the place of what is there. It belongs to us, or to the owner of `like`.
    pub fn save(&self, path: &Path, like: Option<&Path>) -> Result<(), OpenError> {
        let owner = like.and_then(|like| std::fs::metadata(like).ok());
        let owner = owner.map(|owner| keep::Owner { uid: owner.uid(), gid: owner.gid() });
        let file = keep::NewFile { path, octets: self.0.as_slice(), mode: 0o600, owner };
        file.replace().map_err(|error| bad_file(path, "cannot be written", Some(error.source)))
    }

    /// The octets, for whoever keeps the key elsewhere.
    pub fn expose(&self) -> &[u8; KEY_OCTETS] {
        &self.0
    }

    /// Whether the file, if it is there, would be taken. Nothing is made.
    pub fn check(path: &Path, permissions: Permissions) -> Result<(), OpenError> {
        if std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(());
        }
        Self::load(path, permissions).map(drop)
    }

    fn load_here(path: &Path, permissions: Permissions) -> Result<Self, OpenError> {
        // To open a pipe is to wait for somebody who writes.
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(bad_file(path, "is no regular file", None));
        }
        let file = File::open(path).map_err(|error| bad_file(path, "cannot be opened", Some(error)))?;
        Self::read(file, path, permissions)
    }

    /// The same for the key of a database: none is made beside a database that was sealed with another one.
    pub fn load_or_create_for(database: &Path, path: &Path, permissions: Permissions) -> Result<Self, OpenError> {
        Self::look_for(database, path)?;
        Self::load_or_create_with(path, permissions)
    }

    /// Whether a database that is there has its key file. Nothing is made.
    pub fn look_for(database: &Path, path: &Path) -> Result<(), OpenError> {
        let (database, key) = (database.to_owned(), path.to_owned());
        let looked = keep::in_time(keep::read::STALL, move || {
            let filled = std::fs::metadata(&database).is_ok_and(|there| there.len() > 0);
            let missing =
                filled && std::fs::symlink_metadata(&key).is_err_and(|it| it.kind() == io::ErrorKind::NotFound);
            Ok(if missing { Err(OpenError::KeyMissing { path: database, key }) } else { Ok(()) })
        });
        looked.map_err(|error| bad_file(path, "cannot be read", Some(error)))?
    }

    fn load_or_create_here(path: &Path, permissions: Permissions) -> Result<Self, OpenError> {
        // To open a pipe is to wait for somebody who writes.
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(bad_file(path, "is no regular file", None));
        }
        match File::open(path) {
            Ok(file) => Self::read(file, path, permissions),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(bad_file(path, "cannot be opened", Some(error))),
        }
    }

    /// A key kept elsewhere.
    pub fn from_bytes(bytes: [u8; KEY_OCTETS]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key for one purpose; keys of two purposes tell nothing about each other or about the server key.
    pub fn derive(&self, purpose: &'static str) -> Zeroizing<[u8; KEY_OCTETS]> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()), purpose.as_bytes());
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        key.copy_from_slice(tag.as_ref());
        key
    }

    /// Which key this is, without saying what it is.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        self.derive("fingerprint")[..16].to_vec()
    }

    fn read(mut file: File, path: &Path, permissions: Permissions) -> Result<Self, OpenError> {
        let unreadable = |error| bad_file(path, "cannot be read", Some(error));
        let metadata = file.metadata().map_err(unreadable)?;
        permissions.check(&metadata).map_err(|exposed| bad_file(path, exposed.why(), None))?;
        // One octet more than a key has shows a file that is too long without reading all of it.
        let mut bytes = Zeroizing::new([0; KEY_OCTETS + 1]);
        let mut length = 0;
        while length < bytes.len() {
            match file.read(&mut bytes[length..]) {
                Ok(0) => break,
                Ok(octets) => length += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        if length != KEY_OCTETS {
            return Err(bad_file(path, "is not 32 octets long", None));
        }
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        key.copy_from_slice(&bytes[..KEY_OCTETS]);
        Ok(Self(key))
    }

    fn create(path: &Path) -> Result<Self, OpenError> {
        let unwritable = |error| bad_file(path, "cannot be made", Some(error));
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        random(key.as_mut_slice()).map_err(unwritable)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unwritable)?;
        let written = file.write_all(key.as_slice()).and_then(|()| file.sync_all()).and_then(|()| sync_parent(path));
        if let Err(error) = written {
            // A half-written key would be refused at every later start.
            let _ = std::fs::remove_file(path);
            return Err(unwritable(error));
        }
        Ok(Self(key))
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn bad_file(path: &Path, why: &'static str, source: Option<io::Error>) -> OpenError {
    OpenError::KeyFile { path: path.to_owned(), why, source }
}

/// Fills with random octets of the operating system's generator.
pub(crate) fn random(bytes: &mut [u8]) -> io::Result<()> {
    rand::fill(bytes).map_err(|_| io::Error::other("no randomness"))
}

/// Encrypts small secrets with a key derived from the server key.
pub(crate) struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// `None` only when the cryptographic library refuses a 32-octet key.
    pub(crate) fn new(key: &ServerKey) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, key.derive("device-secret").as_slice()).ok().map(Self)
    }

    /// Nonce, ciphertext and tag; bound to the owner's name, so that a row moved to another login does not open.
    pub(crate) fn seal(&self, owner: &str, secret: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = secret.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut sealed).ok()?;
        let mut out = Vec::with_capacity(NONCE_OCTETS + sealed.len());
        out.extend_from_slice(nonce.as_ref());
        out.extend_from_slice(&sealed);
        Some(out)
    }

    /// The secret, or `None` if it was sealed with another key, for another owner, or is damaged.
    pub(crate) fn open(&self, owner: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_OCTETS)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_key_file_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.key");
        let made = ServerKey::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = ServerKey::load_or_create(&path).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        assert_eq!(format!("{made:?}"), "ServerKey(…)");
    }

    #[test]
    fn no_key_is_made_beside_a_database_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (database, path) = (dir.path().join("directory.sqlite"), dir.path().join("server.key"));
        std::fs::write(&database, "sealed").unwrap();
        let refused = ServerKey::load_or_create_for(&database, &path, Permissions::Owner).unwrap_err();
        assert!(matches!(refused, OpenError::KeyMissing { .. }), "{refused}");
        assert!(!path.exists());
        // One that a crash left empty holds nothing yet.
        std::fs::write(&database, "").unwrap();
        ServerKey::load_or_create_for(&database, &path, Permissions::Owner).unwrap();
    }

    #[test]
    fn a_key_file_that_others_read_or_of_another_length_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.key");
        ServerKey::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(ServerKey::load_or_create(&path).unwrap_err().to_string().contains("0600"));
        for octets in [0, 31, 33, 100] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            std::fs::write(&path, vec![7; octets]).unwrap();
            assert!(ServerKey::load_or_create(&path).is_err(), "{octets}");
        }
    }

    #[test]
    fn sealed_secrets_open_only_with_the_same_key_and_owner() {
        let ours = Sealer::new(&ServerKey::from_bytes([1; 32])).unwrap();
        let sealed = ours.seal("a-scanner@example.test", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(ours.open("a-scanner@example.test", &sealed).unwrap().as_slice(), b"secret");
        assert!(ours.open("b-scanner@example.test", &sealed).is_none());
        assert!(
            Sealer::new(&ServerKey::from_bytes([2; 32])).unwrap().open("a-scanner@example.test", &sealed).is_none()
        );
        for cut in 0..sealed.len() {
            assert!(ours.open("a-scanner@example.test", &sealed[..cut]).is_none());
        }
    }
}
