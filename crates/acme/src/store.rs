//! What is kept between two certificates: `acme` below `data_dir`.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use instant_acme::AccountCredentials;
use keep::secret::Permissions;
use keep::{Accepts, NewFile};
use listen::Certificate;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::AcmeError;

/// Octets of a file of ours: more is some other file.
const FILE_OCTETS_MAX: u64 = 64 << 10;

/// From which authority a certificate is, and for which name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) directory: String,
    pub(crate) name: String,
}

/// The same, of one certificate: told from others by its end.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptIssued {
    #[serde(flatten)]
    issued: Issued,
    not_after_unix_secs: u64,
}

/// An account at an authority.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptAccount {
    pub(crate) directory: String,
    pub(crate) contact: Option<String>,
    pub(crate) credentials: AccountCredentials,
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
    certificate: PathBuf,
}

impl Store {
    /// Where the certificate lies, the rest is kept.
    pub(crate) fn beside(certificate: &Path) -> Self {
        let folder = certificate.parent().unwrap_or(Path::new("/")).to_owned();
        Self { folder, certificate: certificate.to_owned() }
    }

    /// Does it where a disk may take its time.
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, AcmeError> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.map_err(|error| AcmeError::Here(error.to_string()))
    }

    /// Of which authority and name this certificate is; `None`: of none that is known.
    pub(crate) fn issued(&self, certificate: &Certificate) -> Option<Issued> {
        let kept: KeptIssued = self.read("issued.json")?;
        (kept.not_after_unix_secs == end(certificate)).then_some(kept.issued)
    }

    pub(crate) fn account(&self) -> Option<KeptAccount> {
        self.read("account.json")
    }

    pub(crate) fn keep_account(&self, account: &KeptAccount) -> Result<(), AcmeError> {
        self.write_json("account.json", account)
    }

    /// Puts a certificate with its key in the place of the one before, if it can be shown: with another the server would not start.
    pub(crate) fn keep_certificate(&self, pem: &str, issued: Issued) -> Result<(), AcmeError> {
        let next = self.folder.join("next.pem");
        self.write(&next, pem.as_bytes())?;
        let shown = listen::tls::server_config(&next, &next, Permissions::Owner);
        let shown = shown.map_err(|error| AcmeError::Refused(format!("what it gave is no certificate: {error}")))?;
        let certificate = shown.certificate();
        let not_after_unix_secs = certificate.map(|it| end(&it)).unwrap_or_default();
        self.write(&self.certificate, pem.as_bytes())?;
        // The next one replaces it, should it stay.
        let _ = std::fs::remove_file(&next);
        self.write_json("issued.json", &KeptIssued { issued, not_after_unix_secs })
    }

    /// What cannot be read is made anew: nothing in it is worth more than asking again.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.folder.join(name);
        match keep::read(&path, FILE_OCTETS_MAX, Accepts::RegularFile) {
            Ok(octets) => serde_json::from_slice(&octets)
                .inspect_err(|error| tracing::warn!(path = %path.display(), cause = ?error.to_string(), "acme unread"))
                .ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "acme unread");
                None
            }
        }
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), AcmeError> {
        let octets = serde_json::to_vec(value).map_err(|error| AcmeError::Here(format!("{name}: {error}")))?;
        self.write(&self.folder.join(name), &octets)
    }

    fn write(&self, path: &Path, octets: &[u8]) -> Result<(), AcmeError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| AcmeError::Here(format!("{}: {error}", self.folder.display())))?;
        let file = NewFile { path, octets, mode: 0o600, owner: None };
        file.replace().map_err(|error| AcmeError::Here(error.to_string()))
    }
}

fn end(certificate: &Certificate) -> u64 {
    certificate.not_after.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn made(dir: &Path, name: &str) -> (String, std::sync::Arc<Certificate>) {
        let file = dir.join(format!("{name}.pem"));
        listen::tls::ensure_first(&file, name).unwrap();
        let shown = listen::tls::server_config(&file, &file, Permissions::Owner).unwrap();
        (std::fs::read_to_string(file).unwrap(), shown.certificate().unwrap())
    }

    #[test]
    fn what_is_kept_is_for_the_owner_only_and_what_is_broken_is_as_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("acme/certificate.pem");
        let store = Store::beside(&file);
        let issued = Issued { directory: "https://a.example/".to_owned(), name: "mail.example.test".to_owned() };
        let (pem, certificate) = made(dir.path(), "mail.example.test");
        assert_eq!(store.issued(&certificate), None);
        store.keep_certificate(&pem, issued.clone()).unwrap();
        assert_eq!(store.issued(&certificate).as_ref(), Some(&issued));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        let mut other = Certificate::clone(&certificate);
        other.not_after += std::time::Duration::from_secs(1);
        assert_eq!(store.issued(&other), None, "another certificate lies there");
        std::fs::write(dir.path().join("acme/issued.json"), "{").unwrap();
        assert_eq!(store.issued(&certificate), None);
    }

    #[test]
    fn what_cannot_be_shown_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("acme/certificate.pem");
        let store = Store::beside(&file);
        let issued = Issued { directory: "https://a.example/".to_owned(), name: "a.test".to_owned() };
        let [(first, _), (second, _)] = ["a.test", "b.test"].map(|name| made(dir.path(), name));
        store.keep_certificate(&first, issued.clone()).unwrap();
        let half = |pem: &str, is_key: bool| {
            let at = pem.find("-----BEGIN CERTIFICATE").unwrap();
            if is_key { pem[..at].to_owned() } else { pem[at..].to_owned() }
        };
        for wrong in [half(&first, true) + &half(&second, false), half(&first, false), String::new()] {
            assert!(matches!(store.keep_certificate(&wrong, issued.clone()), Err(AcmeError::Refused(_))));
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    }
}
