//! A certificate is looked at before it is judged: the handshake takes any, and what was shown is checked afterwards as a mail program
//! would check it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;

/// Certificates of a chain that are kept.
const CHAIN_MAX: usize = 16;

/// Longest file of trusted certificates, in octets.
const TRUSTED_OCTETS_MAX: u64 = 4 << 20;

/// A file of trusted certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct TrustError {
    file: String,
    why: String,
}

/// Reads a PEM file of certificates to trust; what is in it besides certificates is passed over.
pub fn trusted(file: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let wrong = |why: String| TrustError { file: file.display().to_string(), why };
    let octets =
        keep::read(file, TRUSTED_OCTETS_MAX, keep::Accepts::Anything).map_err(|error| wrong(error.to_string()))?;
    let read = CertificateDer::pem_slice_iter(&octets).collect::<Result<Vec<_>, _>>();
    let certificates = read.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() { Err(wrong("no CERTIFICATE in it".to_owned())) } else { Ok(certificates) }
}

/// Takes any certificate whose key signs the handshake, and keeps the chain.
#[derive(Debug)]
pub(crate) struct Recorder {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Recorder {
    /// A client that offers these versions, and what it will record.
    pub(crate) fn client(
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<(Arc<ClientConfig>, Arc<Self>), Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let recorder = Arc::new(Self { provider: Arc::clone(&provider), chain: Mutex::default() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Self>::clone(&recorder))
            .with_no_client_auth();
        Ok((Arc::new(config), recorder))
    }

    /// What was shown, the host's own certificate first.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(end_entity).chain(intermediates).take(CHAIN_MAX);
        let chain = shown.map(|certificate| certificate.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a mail program would say of a chain; the outer error: what the system trusts cannot be read.
pub(crate) fn judge(
    chain: &[CertificateDer<'static>],
    name: &ServerName<'_>,
    trusted: &[CertificateDer<'static>],
    now_secs: u64,
) -> Result<Result<(), Error>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = if trusted.is_empty() {
        Verifier::new(provider)?
    } else {
        Verifier::new_with_extra_roots(trusted.iter().cloned(), provider)?
    };
    let Some((own, intermediates)) = chain.split_first() else { return Ok(Err(Error::NoCertificatesPresented)) };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now_secs));
    Ok(verifier.verify_server_cert(own, intermediates, name, &[], now).map(|_| ()))
}
