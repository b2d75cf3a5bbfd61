//! TLS for the listeners: the certificate and key as files, and the self-signed one that `demo` and `init` make.
//!
//! Answers for which certificate is shown and which protocol versions are spoken (TLS 1.2 and 1.3, by rustls).
//! What TLS proves to a session (version, cipher, channel binding) is handed on as [`crate::TlsFacts`].

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::certificate::Certificate;
use arc_swap::ArcSwap;
use keep::secret::{Permissions, SecretError};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A chain of certificates is small; more is some other file.
const PEM_OCTETS_MAX: u64 = 1 << 20;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The private key is not read.
    #[error("tls: {0}")]
    Secret(#[from] SecretError),
    /// A PEM file could not be read or holds no such item.
    #[error("tls: {path}: {why}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key are no pair, or rustls refuses them.
    #[error("tls: certificate {certificate} with key {key}: {error}")]
    Pair {
        /// The certificate chain's file.
        certificate: PathBuf,
        /// The private key's file.
        key: PathBuf,
        /// What rustls says.
        error: rustls::Error,
    },
    /// A self-signed certificate could not be made or written.
    #[error("tls: {path}: a self-signed certificate could not be made: {why}")]
    Make {
        /// The file that was to be written.
        path: PathBuf,
        /// What failed.
        why: String,
    },
}

/// A certificate with its key, ready to be shown. Another can take its place while sessions go on.
#[derive(Debug, Clone)]
pub struct Shown {
    /// For the handshakes.
    pub config: Arc<ServerConfig>,
    in_force: Arc<InForce>,
}

impl Shown {
    /// What the certificate says of itself; `None`: it is written as none of those that we read.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.in_force.0.load().certificate.clone()
    }

    /// Reads the two files again; handshakes from now on show what is in them. After an error the one in force stays.
    pub fn renew(&self, certificate: &Path, key: &Path, permissions: Permissions) -> Result<(), TlsError> {
        let pair = Pair::of(certificate, read_chain(certificate)?, key, read_key(key, permissions)?)?;
        self.in_force.0.store(Arc::new(pair));
        Ok(())
    }
}

/// The pair that the next handshake shows.
#[derive(Debug)]
struct InForce(ArcSwap<Pair>);

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().shown))
    }
}

#[derive(Debug)]
struct Pair {
    shown: Arc<CertifiedKey>,
    certificate: Option<Arc<Certificate>>,
}

impl Pair {
    fn of(
        certificate: &Path,
        chain: Vec<CertificateDer<'static>>,
        key: &Path,
        private: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let leaf = chain.first().and_then(Certificate::of).map(Arc::new);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let shown = CertifiedKey::from_der(chain, private, &provider).map_err(|error| TlsError::Pair {
            certificate: certificate.to_path_buf(),
            key: key.to_path_buf(),
            error,
        })?;
        Ok(Self { shown: Arc::new(shown), certificate: leaf })
    }
}

/// Reads the chain and the key, and makes the rustls configuration that shows them.
pub fn server_config(certificate: &Path, key: &Path, permissions: Permissions) -> Result<Shown, TlsError> {
    pair(certificate, read_chain(certificate)?, key, read_key(key, permissions)?)
}

/// Everything that is wrong with the two files, not only the first of it.
pub fn check(certificate: &Path, key: &Path, permissions: Permissions) -> Result<Shown, Vec<TlsError>> {
    match (read_chain(certificate), read_key(key, permissions)) {
        (Ok(chain), Ok(private)) => pair(certificate, chain, key, private).map_err(|error| vec![error]),
        (chain, private) => Err(chain.err().into_iter().chain(private.err()).collect()),
    }
}

fn pem(path: &Path, why: impl Into<String>) -> TlsError {
    TlsError::Pem { path: path.to_path_buf(), why: why.into() }
}

fn read_chain(certificate: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let octets = keep::read(certificate, PEM_OCTETS_MAX, keep::Accepts::RegularFile);
    let octets = octets.map_err(|error| pem(certificate, error.to_string()))?;
    let chain = CertificateDer::pem_slice_iter(&octets).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| pem(certificate, error.to_string()))?;
    if chain.is_empty() { Err(pem(certificate, "no CERTIFICATE in it")) } else { Ok(chain) }
}

fn read_key(key: &Path, permissions: Permissions) -> Result<PrivateKeyDer<'static>, TlsError> {
    let octets = permissions.read(key)?;
    PrivateKeyDer::from_pem_slice(&octets).map_err(|error| {
        // PKCS #8 says so in its first line, the older forms in a header below it (RFC 1421 §4.6.1.1).
        if octets.windows(9).any(|part| part == b"ENCRYPTED") {
            let what = "the key is encrypted, and nobody is there to type its passphrase";
            return pem(key, format!("{what}; write it without one: openssl pkey -in {} -out NEW", key.display()));
        }
        match error {
            rustls_pki_types::pem::Error::NoItemsFound => pem(key, "no PRIVATE KEY in it"),
            error => pem(key, error.to_string()),
        }
    })
}

fn pair(
    certificate: &Path,
    chain: Vec<CertificateDer<'static>>,
    key: &Path,
    private: PrivateKeyDer<'static>,
) -> Result<Shown, TlsError> {
    let in_force = Arc::new(InForce(ArcSwap::from_pointee(Pair::of(certificate, chain, key, private)?)));
    let config = showing(Arc::clone(&in_force)).map_err(|error| TlsError::Pair {
        certificate: certificate.to_path_buf(),
        key: key.to_path_buf(),
        error,
    })?;
    Ok(Shown { config, in_force })
}

fn showing(in_force: Arc<InForce>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = versions.with_no_client_auth().with_cert_resolver(in_force);
    // Mail clients seldom resume, and tickets would keep a key per process for nothing.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Makes a self-signed pair in one file, which an authority's will replace, with its folder; unless it is there already.
pub fn ensure_first(file: &Path, name: &str) -> Result<(), TlsError> {
    if file.exists() {
        return Ok(());
    }
    let failed = |why: String| TlsError::Make { path: file.to_path_buf(), why };
    if let Some(folder) = file.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| failed(error.to_string()))?;
    }
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).map_err(|error| failed(error.to_string()))?;
    let pem = made.signing_key.serialize_pem() + &made.cert.pem();
    let new = keep::NewFile { path: file, octets: pem.as_bytes(), mode: 0o600, owner: None };
    new.replace().map_err(|error| failed(error.to_string()))
}

/// Makes a self-signed certificate for `names` unless both files are there already. The key is readable by its owner only. One
/// of them alone is a pair that was half restored: it is left as it is.
pub fn ensure_self_signed(certificate: &Path, key: &Path, names: &[String]) -> Result<(), TlsError> {
    if certificate.exists() && key.exists() {
        return Ok(());
    }
    for (there, missing) in [(certificate, key), (key, certificate)] {
        if there.exists() {
            let why = format!("missing, and {} is there: restore it, or remove both", there.display());
            return Err(TlsError::Make { path: missing.to_path_buf(), why });
        }
    }
    let made = rcgen::generate_simple_self_signed(names.to_vec())
        .map_err(|e| TlsError::Make { path: certificate.to_path_buf(), why: e.to_string() })?;
    write_file(key, 0o600, made.signing_key.serialize_pem().as_bytes())?;
    write_file(certificate, 0o644, made.cert.pem().as_bytes()).inspect_err(|_| {
        // Half a pair would stand in the way of the next try.
        let _ = std::fs::remove_file(key);
    })
}

fn write_file(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), TlsError> {
    let failed = |e: std::io::Error| TlsError::Make { path: path.to_path_buf(), why: e.to_string() };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_pair_is_made_once_and_loads() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        ensure_self_signed(&cert, &key, &["mail.example.test".to_owned()]).unwrap();
        let before = std::fs::read(&cert).unwrap();
        ensure_self_signed(&cert, &key, &["other.example.test".to_owned()]).unwrap();
        assert_eq!(before, std::fs::read(&cert).unwrap(), "an existing pair is kept");
        std::fs::rename(&cert, dir.path().join("aside.pem")).unwrap();
        let kept = std::fs::read(&key).unwrap();
        let refused = ensure_self_signed(&cert, &key, &["mail.example.test".to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("c.pem") && refused.contains("k.pem"), "{refused}");
        assert!(!cert.exists() && std::fs::read(&key).unwrap() == kept, "half a pair is left as it is");
        std::fs::rename(dir.path().join("aside.pem"), &cert).unwrap();
        server_config(&cert, &key, Permissions::Owner).unwrap();
    }

    #[test]
    fn another_pair_takes_its_place_and_a_broken_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("acme/certificate.pem");
        ensure_first(&file, "a.test").unwrap();
        let first = std::fs::read(&file).unwrap();
        ensure_first(&file, "a.test").unwrap();
        assert_eq!(first, std::fs::read(&file).unwrap(), "what is there is kept");
        let shown = server_config(&file, &file, Permissions::Owner).unwrap();
        let before = shown.certificate().unwrap();
        std::fs::remove_file(&file).unwrap();
        ensure_first(&file, "b.test").unwrap();
        assert!(shown.certificate().unwrap().is_for("a.test"));
        shown.renew(&file, &file, Permissions::Owner).unwrap();
        assert!(shown.certificate().unwrap().is_for("b.test") && before.is_for("a.test"));
        std::fs::write(&file, "nothing").unwrap();
        assert!(shown.renew(&file, &file, Permissions::Owner).is_err());
        assert!(shown.certificate().unwrap().is_for("b.test"));
    }

    #[test]
    fn a_broken_pair_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        ensure_self_signed(&cert, &key, &["a.test".to_owned()]).unwrap();
        std::fs::write(&cert, "nothing").unwrap();
        let error = server_config(&cert, &key, Permissions::Owner).unwrap_err().to_string();
        assert!(error.contains("c.pem") && error.contains("no CERTIFICATE"), "{error}");
    }

    #[test]
    fn everything_that_is_wrong_with_a_pair_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["a", "b"] {
            let (certificate, key) = (at(&format!("{name}.crt")), at(&format!("{name}.key")));
            ensure_self_signed(&certificate, &key, &[format!("{name}.test")]).unwrap();
        }
        write_file(
            &at("encrypted"),
            0o600,
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        )
        .unwrap();
        let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        write_file(&at("old"), 0o600, old).unwrap();
        write_file(&at("open"), 0o644, &std::fs::read(at("a.key")).unwrap()).unwrap();
        let told = |certificate: &str, key: &str| {
            let errors = check(&at(certificate), &at(key), Permissions::Owner).unwrap_err();
            errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for (certificate, key, expected) in [
            ("none", "none", &["none: No such", "none: No such"][..]),
            ("a.key", "a.crt", &["a.key: no CERTIFICATE", "a.crt: mode 0644"]),
            ("a.crt", "b.key", &["a.crt with key"]),
            ("a.crt", "encrypted", &["encrypted: the key is encrypted"]),
            ("a.crt", "old", &["old: the key is encrypted"]),
            ("a.crt", "open", &["open: mode 0644"]),
            (".", "a.key", &["regular"]),
        ] {
            let errors = told(certificate, key);
            assert_eq!(errors.len(), expected.len(), "{errors:?}");
            assert!(errors.iter().zip(expected).all(|(error, part)| error.contains(part)), "{errors:?}");
        }
        let certificate = check(&at("a.crt"), &at("a.key"), Permissions::Owner).unwrap().certificate().unwrap();
        assert!(certificate.is_for("a.test") && !certificate.is_for("b.test"));
    }
}
