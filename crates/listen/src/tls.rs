//! TLS for the listeners: the certificate and key as files, and the self-signed one that `demo` and `init` make.
//!
//! Answers for which certificate is shown and which protocol versions are spoken (TLS 1.2 and 1.3, by rustls).
//! What TLS proves to a session (version, cipher, channel binding) is handed on as [`crate::TlsFacts`].

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keep::secret::{Permissions, SecretError};
use rustls::ServerConfig;
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

/// Reads the chain and the key, and makes the rustls configuration that shows them.
pub fn server_config(certificate: &Path, key: &Path, permissions: Permissions) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |path: &Path, why: String| TlsError::Pem { path: path.to_path_buf(), why };
    let read = |path: &Path| {
        keep::read(path, PEM_OCTETS_MAX, keep::Accepts::RegularFile).map_err(|e| pem(path, e.to_string()))
    };
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| pem(certificate, e.to_string()))?;
    if chain.is_empty() {
        return Err(pem(certificate, "no CERTIFICATE in it".to_owned()));
    }
    let octets = permissions.read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&octets).map_err(|e| pem(key, e.to_string()))?;
    showing(chain, private).map_err(|error| TlsError::Pair {
        certificate: certificate.to_path_buf(),
        key: key.to_path_buf(),
        error,
    })
}

fn showing(
    chain: Vec<CertificateDer<'static>>,
    private: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = versions.with_no_client_auth().with_single_cert(chain, private)?;
    // Mail clients seldom resume, and tickets would keep a key per process for nothing.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
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
    fn a_broken_pair_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        ensure_self_signed(&cert, &key, &["a.test".to_owned()]).unwrap();
        std::fs::write(&cert, "nothing").unwrap();
        let error = server_config(&cert, &key, Permissions::Owner).unwrap_err().to_string();
        assert!(error.contains("c.pem") && error.contains("no CERTIFICATE"), "{error}");
    }
}
