//! Asking an authority: HTTPS, one connection a request, bounded in time and size.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// How long one request may take, from looking up the name to the answer's end.
const TIME: Duration = Duration::from_secs(30);
/// Octets of an answer: a chain of certificates is the longest.
const ANSWER_OCTETS_MAX: usize = 1 << 20;

/// An answer could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoAnswer(String);

impl NoAnswer {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Asks whom the system trusts.
#[derive(Clone)]
pub(crate) struct Asker {
    tls: Arc<ClientConfig>,
}

impl Asker {
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        use rustls_platform_verifier::BuilderVerifierExt as _;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self { tls: Arc::new(builder.with_platform_verifier()?.with_no_client_auth()) })
    }

    async fn ask(self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, NoAnswer> {
        let (name, port) = place(request.uri()).ok_or_else(|| NoAnswer("no URL of HTTPS".to_owned()))?;
        let tcp = TcpStream::connect((name.to_str().as_ref(), port)).await.map_err(NoAnswer::of)?;
        let tls = TlsConnector::from(self.tls).connect(name, tcp).await.map_err(NoAnswer::of)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await.map_err(NoAnswer::of)?;
        // It ends with this.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let authority = request.uri().authority().map(|it| HeaderValue::from_str(it.as_str()));
        let authority = authority.transpose().map_err(NoAnswer::of)?;
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str()).to_owned();
        *request.uri_mut() = path.parse().map_err(NoAnswer::of)?;
        let headers = request.headers_mut();
        headers.extend(authority.map(|it| (HOST, it)));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let (parts, body) = sender.send_request(request).await.map_err(NoAnswer::of)?.into_parts();
        let body = Limited::new(body, ANSWER_OCTETS_MAX).collect().await.map_err(NoAnswer::of)?.to_bytes();
        Ok(BytesResponse::from(Response::from_parts(parts, Full::new(body))))
    }
}

/// Where a URL of HTTPS leads.
fn place(uri: &Uri) -> Option<(ServerName<'static>, u16)> {
    if uri.scheme_str() != Some("https") {
        return None;
    }
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    Some((ServerName::try_from(host.to_owned()).ok()?, uri.port_u16().unwrap_or(443)))
}

impl HttpClient for Asker {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let asked = self.clone().ask(request);
        Box::pin(async move {
            let answer = tokio::time::timeout(TIME, asked).await;
            let late = || NoAnswer(format!("no answer within {} seconds", TIME.as_secs()));
            answer.map_err(|_| late()).flatten().map_err(|error| Error::Other(Box::new(error)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn only_https_is_asked() {
        let at = |url: &str| {
            url.parse().ok().and_then(|uri| place(&uri)).map(|(name, port)| (name.to_str().into_owned(), port))
        };
        assert_eq!(at("https://acme.example/dir"), Some(("acme.example".to_owned(), 443)));
        assert_eq!(at("https://[::1]:14000/dir"), Some(("::1".to_owned(), 14_000)));
        assert_eq!(at("http://acme.example/dir"), None);
        assert_eq!(at("/dir"), None);
    }
}
