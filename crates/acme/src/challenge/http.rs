//! `http-01` on a port of our own: one page, for as long as it is asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{CONNECTIONS_MAX, Wanted};

/// Octets of a request's head, and its fields.
const HEAD_OCTETS_MAX: usize = 8 * 1024;
const FIELDS_MAX: usize = 64;
/// How long a connection may take.
const TIME: Duration = Duration::from_secs(10);
/// How long we pause when the system has no more file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The page (RFC 8555 §8.3).
#[derive(Clone)]
pub(super) struct Answer {
    path: Arc<str>,
    body: Bytes,
}

impl Answer {
    pub(super) fn new(wanted: &Wanted) -> Self {
        let path = format!("/.well-known/acme-challenge/{}", wanted.token);
        Self { path: path.into(), body: Bytes::from(wanted.answer.as_str().to_owned()) }
    }

    fn to<T>(&self, request: &Request<T>) -> Response<Full<Bytes>> {
        let is_asked = request.uri().path() == &*self.path;
        let body = if is_asked { self.body.clone() } else { Bytes::new() };
        let mut response = Response::new(Full::new(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        *response.status_mut() = if is_asked { StatusCode::OK } else { StatusCode::NOT_FOUND };
        response
    }
}

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, answer: Answer) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok((tcp, _)) = listener.accept().await else {
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let answer = answer.clone();
        open.spawn(async move {
            // Whoever is slower than this is no authority.
            let _ = tokio::time::timeout(TIME, connection(tcp, answer)).await;
            drop(place);
        });
    }
}

async fn connection(tcp: TcpStream, answer: Answer) {
    let service = service_fn(move |request| {
        let response = answer.to(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(TIME).keep_alive(false);
    builder.max_buf_size(HEAD_OCTETS_MAX).max_headers(FIELDS_MAX);
    if let Err(error) = builder.serve_connection(TokioIo::new(tcp), service).await {
        tracing::debug!(%error, "answer broken");
    }
}
