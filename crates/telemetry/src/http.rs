//! The listener of `[metrics]`: three pages, read only, for whoever can connect. Bounded in connections, in the size of a request and
//! in time, so that nobody who can connect can take more than a little from the server.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::health::Health;
use crate::page;

/// Connections at a time; more are closed at once.
const CONNECTIONS_MAX: usize = 16;
/// Octets of a request's head.
const HEAD_OCTETS_MAX: usize = 8 * 1024;
/// Fields of it.
const FIELDS_MAX: usize = 64;
/// How long a client may take for it.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long all of a connection may take.
const TIME: Duration = Duration::from_secs(30);
/// How long we pause when the system has no more file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A page that takes its time.
pub type Making<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the pages are made from.
pub struct Pages {
    /// The numbers, as [`crate::numbers::page`] writes them.
    pub numbers: Box<dyn Fn() -> Making<String> + Send + Sync>,
    /// Whether the server is ready.
    pub health: Box<dyn Fn() -> Making<Health> + Send + Sync>,
}

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, pages: Arc<Pages>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    debug!(client = %peer.ip(), "scrape refused");
                    continue;
                };
                let pages = Arc::clone(&pages);
                tokio::spawn(async move {
                    // Whoever is slower than this is no scraper.
                    let _ = tokio::time::timeout(TIME, connection(tcp, pages)).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "scraping paused");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Listens there.
pub async fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn connection(tcp: TcpStream, pages: Arc<Pages>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(answer(&request, &pages).await) }
    });
    let mut builder = http1::Builder::new();
    // One request a connection: nothing is kept open between two scrapes.
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).keep_alive(false);
    builder.max_buf_size(HEAD_OCTETS_MAX).max_headers(FIELDS_MAX);
    if let Err(error) = builder.serve_connection(TokioIo::new(tcp), service).await {
        debug!(%error, "scrape broken");
    }
}

async fn answer(request: &Request<Incoming>, pages: &Pages) -> Response<Full<Bytes>> {
    let known = ["/metrics", "/healthz", "/readyz"].contains(&request.uri().path());
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    if !known {
        return text(StatusCode::NOT_FOUND, "/metrics, /healthz, /readyz\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" => typed(StatusCode::OK, page::CONTENT_TYPE, (pages.numbers)().await),
        "/healthz" => typed(StatusCode::OK, "application/json", "{\"alive\":true}\n".to_owned()),
        _ => {
            let health = (pages.health)().await;
            let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            typed(status, "application/json", health.json())
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn at() -> std::net::SocketAddr {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Pages {
            numbers: Box::new(|| Box::pin(async { "# EOF\n".to_owned() })),
            health: Box::new(|| Box::pin(async { Health { listeners: Some("none".to_owned()), ..Health::default() } })),
        };
        tokio::spawn(serve(listener, Arc::new(pages)));
        address
    }

    async fn said(address: std::net::SocketAddr, request: &[u8]) -> String {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(request).await.unwrap();
        let mut said = Vec::new();
        let _ = tcp.read_to_end(&mut said).await;
        String::from_utf8(said).unwrap()
    }

    #[tokio::test]
    async fn three_pages_are_read_and_nothing_else() {
        let at = at().await;
        for (request, status, words) in [
            ("GET /metrics", "200", "# EOF"),
            ("HEAD /metrics", "200", "openmetrics-text"),
            ("GET /healthz", "200", "\"alive\":true"),
            ("GET /readyz", "503", "\"listeners\":\"none\""),
            ("GET /metrics?x=1", "200", "# EOF"),
            ("POST /metrics", "405", "allow: GET, HEAD"),
            ("DELETE /x", "405", ""),
            ("GET /", "404", "/readyz"),
            ("GET /../etc/passwd", "404", ""),
        ] {
            let said = said(at, format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains(words), "{request}: {said}");
            assert!(!request.starts_with("HEAD") || said.ends_with("\r\n\r\n"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let at = at().await;
        let long = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {}\r\n", "a".repeat(2 * HEAD_OCTETS_MAX));
        let answer = said(at, long.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(FIELDS_MAX + 1));
        let answer = said(at, many.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }

    #[tokio::test]
    async fn more_connections_than_there_are_places_are_closed() {
        let at = at().await;
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            held.push(TcpStream::connect(at).await.unwrap());
        }
        let mut one_more = TcpStream::connect(at).await.unwrap();
        // Closed without a word.
        assert!(matches!(one_more.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        drop(held);
    }
}
