//! `tls-alpn-01`: a certificate of our own making that holds the answer, shown to who asks for this protocol (RFC 8737 §3).

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{CONNECTIONS_MAX, Wanted};
use crate::AcmeError;

/// The protocol's name.
const PROTOCOL: &[u8] = b"acme-tls/1";
/// How long a handshake may take.
const TIME: Duration = Duration::from_secs(10);
/// How long we pause when the system has no more file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// What shows the answer.
pub(super) fn acceptor(wanted: &Wanted) -> Result<TlsAcceptor, AcmeError> {
    let config = config(wanted).map_err(|why| AcmeError::Here(format!("tls-alpn-01: {why}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn config(wanted: &Wanted) -> Result<ServerConfig, String> {
    let mut params = CertificateParams::new([wanted.name.clone()]).map_err(|error| error.to_string())?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(wanted.answer.digest().as_ref())];
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let made = params.self_signed(&key).map_err(|error| error.to_string())?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(str::to_owned)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| error.to_string())?;
    // Whom it is for knows its critical extension; rustls, which would look into it, does not.
    let key = provider.key_provider.load_private_key(private).map_err(|error| error.to_string())?;
    let shown = SingleCertAndKey::from(CertifiedKey::new(vec![made.der().clone()], key));
    let mut config = versions.with_no_client_auth().with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

/// Answers until it is dropped. After the handshake all is said.
pub(super) async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok((tcp, _)) = listener.accept().await else {
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let acceptor = acceptor.clone();
        open.spawn(async move {
            if let Ok(Err(error)) = tokio::time::timeout(TIME, acceptor.accept(tcp)).await {
                tracing::debug!(%error, "answer broken");
            }
            drop(place);
        });
    }
}
