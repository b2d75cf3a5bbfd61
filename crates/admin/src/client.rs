//! The other side of the API: over the socket of a running server, or to the same routes within this process.

use super::{ApiError, wire::Problem};
use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, client::conn::http1, service::Service as _};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    error::Error as StdError,
    io,
    path::{Path, PathBuf},
};
use tokio::{net::UnixStream, sync::mpsc::Sender};

pub use hyper::Method;

/// What stands for itself in a segment of a path or in a value of a query: RFC 3986 §2.3, and the sign in every address.
const BARE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Talks to the routes.
pub struct Client {
    way: Way,
}

enum Way {
    /// To a running server.
    Socket(http1::SendRequest<Full<Bytes>>),
    /// Within this process.
    Here(TowerToHyperService<Router>),
}

/// Why there is no answer to a request, or none that says that it was done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: there is no socket, or one that a dead server left.
    #[error("no server answers at {path}", path = path.display())]
    NoServer {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Somebody may listen, but cannot be talked to.
    #[error("no server answers at {path}", path = path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        #[source]
        error: Box<dyn StdError + Send + Sync>,
    },
    /// What was asked cannot be written as a request.
    #[error("request")]
    Request(#[source] Box<dyn StdError + Send + Sync>),
    /// The connection broke.
    #[error("the server went away")]
    Gone(#[source] hyper::Error),
    /// The answer has no end.
    #[error("the server's answer breaks off")]
    BrokenOff(#[source] Box<dyn StdError + Send + Sync>),
    /// The answer is not what was asked for.
    #[error("the server's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The API says that it was not done.
    #[error("{}", .0.error)]
    Problem(Problem),
    /// The request did not come as far as the API: what refuses it says so in plain text.
    #[error("{status}: {text}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it says.
        text: String,
    },
}

impl Client {
    /// To the server that listens at a socket.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).await.map_err(|error| not_connected(path, error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            handshake.map_err(|error| ClientError::Unreachable { path: path.to_owned(), error: error.into() })?;
        // Ends by itself with the sender; its errors come out at the request.
        tokio::spawn(connection);
        Ok(Self { way: Way::Socket(sender) })
    }

    /// To these routes.
    pub fn here(routes: Router) -> Self {
        Self { way: Way::Here(TowerToHyperService::new(routes)) }
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// Asks for a change, and for what came of it.
    pub async fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let body = self.send(method, path, body).await?;
        serde_json::from_slice(&body).map_err(ClientError::Unreadable)
    }

    /// Asks for a change of which nothing is told.
    pub async fn tell(&mut self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<(), ClientError> {
        self.send(method, path, body).await.map(drop)
    }

    /// Asks for something long, and hands it over as it comes; that it breaks off is handed over too. Only a running server has
    /// such answers.
    pub async fn stream(
        &mut self,
        path: &str,
        body: &impl Serialize,
        into: Sender<io::Result<Bytes>>,
    ) -> Result<(), ClientError> {
        let request = request(Method::POST, path, Some(body))?;
        let Way::Socket(sender) = &mut self.way else {
            return Err(ClientError::Problem(ApiError::not_running().into()));
        };
        sender.ready().await.map_err(ClientError::Gone)?;
        let response = sender.send_request(request).await.map_err(ClientError::Gone)?;
        if !response.status().is_success() {
            return answer(response).await.map(drop);
        }
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let chunk = match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(chunk)) => Ok(chunk),
                // Trailers.
                Ok(Err(_)) => continue,
                Err(error) => Err(io::Error::other(error)),
            };
            let ended = chunk.is_err();
            if into.send(chunk).await.is_err() || ended {
                break;
            }
        }
        Ok(())
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Bytes, ClientError> {
        let request = request(method, path, body)?;
        match &mut self.way {
            Way::Socket(sender) => {
                sender.ready().await.map_err(ClientError::Gone)?;
                answer(sender.send_request(request).await.map_err(ClientError::Gone)?).await
            }
            Way::Here(routes) => answer(routes.call(request).await.unwrap_or_else(|never| match never {})).await,
        }
    }
}

fn request(method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Request<Full<Bytes>>, ClientError> {
    let body = body.map(serde_json::to_vec).transpose().map_err(|error| ClientError::Request(error.into()))?;
    let request = Request::builder().method(method).uri(path).header("host", "sekisho");
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())));
    request.map_err(|error| ClientError::Request(error.into()))
}

async fn answer<B>(response: Response<B>) -> Result<Bytes, ClientError>
where
    B: hyper::body::Body,
    B::Error: StdError + Send + Sync + 'static,
{
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| ClientError::BrokenOff(error.into()))?.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    Err(match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => ClientError::Problem(problem),
        // What axum itself refuses (a path or query that cannot be read) is plain text.
        Err(_) => ClientError::Refused { status, text: String::from_utf8_lossy(&body).into_owned() },
    })
}

fn not_connected(path: &Path, error: io::Error) -> ClientError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoServer { path, error },
        _ => ClientError::Unreachable { path, error: error.into() },
    }
}

/// A text as one segment of a path, or as a value of a query.
pub fn percent(text: &str) -> String {
    utf8_percent_encode(text, BARE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_segment_is_escaped() {
        for (text, expected) in [("a@b.c", "a@b.c"), ("a/b", "a%2Fb"), ("a?b#c%", "a%3Fb%23c%25"), ("é", "%C3%A9")] {
            assert_eq!(percent(text), expected);
        }
    }
}
