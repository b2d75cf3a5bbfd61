//! A webhook: each alarm as JSON, by HTTP POST.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::alarm::Message;

/// How long one attempt may take, from looking up the name to the status.
const TIME: Duration = Duration::from_secs(15);

/// Where alarms are posted to.
#[derive(Clone)]
pub(crate) struct Webhook {
    host: String,
    port: u16,
    request: Uri,
    authority: String,
    tls: Option<Arc<ClientConfig>>,
}

/// Why an address is none to post to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum WebhookError {
    /// It is no URL of HTTP.
    #[error("no URL that begins with https:// (or http:// and an address of this machine)")]
    NoUrl,
    /// Alarms name logins: they go in clear only within this machine.
    #[error("http:// is for addresses of this machine alone, such as http://127.0.0.1:8080/")]
    InClear,
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
}

struct Parts {
    uri: Uri,
    host: String,
    is_https: bool,
}

fn parts(url: &str) -> Result<Parts, WebhookError> {
    let uri: Uri = url.parse().map_err(|_| WebhookError::NoUrl)?;
    let host = uri.host().ok_or(WebhookError::NoUrl)?.trim_start_matches('[').trim_end_matches(']').to_owned();
    match uri.scheme_str() {
        Some("https") => Ok(Parts { uri, host, is_https: true }),
        Some("http") if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) => {
            Ok(Parts { uri, host, is_https: false })
        }
        Some("http") => Err(WebhookError::InClear),
        _ => Err(WebhookError::NoUrl),
    }
}

impl Webhook {
    /// The webhook at a URL; its certificate must be one that the system trusts.
    pub(crate) fn new(url: &str) -> Result<Self, WebhookError> {
        let Parts { uri, host, is_https } = parts(url)?;
        let tls = if is_https {
            Some(Arc::new(trusted().map_err(|error| WebhookError::Tls(error.to_string()))?))
        } else {
            None
        };
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = path.parse().map_err(|_| WebhookError::NoUrl)?;
        let authority = uri.authority().map(|it| it.as_str().to_owned()).unwrap_or_default();
        // What stands before an @ is a secret of another way to log in.
        let authority = authority.rsplit('@').next().unwrap_or_default().to_owned();
        Ok(Self { host, port, request, authority, tls })
    }

    /// Posts it; anything but a status of 2xx is a failure.
    pub(crate) async fn post(&self, message: &Message) -> Result<(), String> {
        let body = serde_json::to_vec(message).map_err(|error| error.to_string())?;
        let posted = tokio::time::timeout(TIME, self.exchange(body.into())).await;
        posted.unwrap_or_else(|_| Err(format!("no answer within {} seconds", TIME.as_secs())))
    }

    async fn exchange(&self, body: Bytes) -> Result<(), String> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| error.to_string())?;
        match &self.tls {
            None => self.over(tcp, body).await,
            Some(config) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
                let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await;
                self.over(tls.map_err(|error| error.to_string())?, body).await
            }
        }
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        body: Bytes,
    ) -> Result<(), String> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let request = Request::post(self.request.clone())
            .header("host", &self.authority)
            .header("content-type", "application/json")
            .header("user-agent", concat!("sekisho/", env!("CARGO_PKG_VERSION")))
            .header("connection", "close")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        // It ends with this, whatever the other side says after its status.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let status = sender.send_request(request).await.map_err(|error| error.to_string())?.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
    }
}

/// Trusts whom the system trusts.
fn trusted() -> Result<ClientConfig, rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_platform_verifier()?.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_leave_the_machine_under_tls_only() {
        for (url, expected) in [
            ("https://chat.example/hook?x=1", Ok(())),
            ("https://chat.example:8443/", Ok(())),
            ("http://127.0.0.1:9/", Ok(())),
            ("http://[::1]:9/", Ok(())),
            ("http://chat.example/", Err(WebhookError::InClear)),
            ("http://localhost/", Err(WebhookError::InClear)),
            ("http://192.0.2.1/", Err(WebhookError::InClear)),
            ("ftp://chat.example/", Err(WebhookError::NoUrl)),
            ("chat.example", Err(WebhookError::NoUrl)),
            ("", Err(WebhookError::NoUrl)),
        ] {
            assert_eq!(parts(url).map(drop), expected, "{url}");
        }
    }
}
