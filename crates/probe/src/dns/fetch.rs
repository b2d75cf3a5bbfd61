//! Fetching the file of MTA-STS: HTTPS with a certificate that the system trusts, no redirects, bounded in octets and time
//! (RFC 8461 §3.3).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dns::{Answer, Resolver};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest wait for the whole.
const WAIT_MAX: Duration = Duration::from_secs(15);
/// Longest file (RFC 8461 §3.3).
const FILE_OCTETS_MAX: usize = 65_536;
/// Addresses that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("its host has no address")]
    NoHost,
    #[error("its host's addresses were not found out")]
    Unknown,
    #[error("no connection ({0})")]
    Connect(std::io::Error),
    #[error("TLS fails ({0})")]
    Tls(std::io::Error),
    #[error("TLS cannot be set up here ({0})")]
    Setup(rustls::Error),
    #[error("HTTP fails ({0})")]
    Http(hyper::Error),
    #[error("the answer is {0}, not 200")]
    Status(StatusCode),
    #[error("it is longer than 64 KiB, or does not end")]
    TooLong,
    #[error("nothing came in time")]
    TimedOut,
}

impl FetchError {
    /// Whether every sender would see the same.
    pub(crate) fn is_certain(&self) -> bool {
        matches!(self, Self::NoHost | Self::Tls(_) | Self::Status(_) | Self::TooLong)
    }
}

/// Where the file is.
pub(crate) fn address(domain: &str) -> String {
    format!("https://mta-sts.{domain}/.well-known/mta-sts.txt")
}

/// The file, as text.
pub(crate) async fn policy(dns: &Resolver, domain: &str) -> Result<String, FetchError> {
    let fetched = tokio::time::timeout(WAIT_MAX, Box::pin(fetch(dns, format!("mta-sts.{domain}")))).await;
    fetched.unwrap_or(Err(FetchError::TimedOut))
}

async fn fetch(dns: &Resolver, host: String) -> Result<String, FetchError> {
    let addresses = match dns.addresses(&host).await {
        Answer::Found(addresses) => addresses,
        Answer::None => return Err(FetchError::NoHost),
        Answer::Failed(_) => return Err(FetchError::Unknown),
    };
    let stream = connect(&addresses).await?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.and_then(BuilderVerifierExt::with_platform_verifier).map_err(FetchError::Setup)?;
    let name = ServerName::try_from(host.clone()).map_err(|_| FetchError::NoHost)?;
    let tls = TlsConnector::from(Arc::new(config.with_no_client_auth())).connect(name, stream).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls.map_err(FetchError::Tls)?))
        .await
        .map_err(FetchError::Http)?;
    let asked = async {
        let request = Request::get("/.well-known/mta-sts.txt").header("Host", &host).header("Connection", "close");
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| FetchError::NoHost)?;
        let answer = sender.send_request(request).await.map_err(FetchError::Http)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body =
            Limited::new(answer.into_body(), FILE_OCTETS_MAX).collect().await.map_err(|_| FetchError::TooLong)?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    };
    tokio::select! {
        text = asked => text,
        // Without it nothing is read or written; it ends first only if it fails.
        ended = connection => match ended {
            Err(error) => Err(FetchError::Http(error)),
            Ok(()) => Err(FetchError::TooLong),
        },
    }
}

async fn connect(addresses: &[IpAddr]) -> Result<TcpStream, FetchError> {
    let mut last = FetchError::NoHost;
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match TcpStream::connect(SocketAddr::new(*address, 443)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = FetchError::Connect(error),
        }
    }
    Err(last)
}
