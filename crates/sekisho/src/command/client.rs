//! The commands' way to the admin API: over the socket of the running server, or, where the accounts alone will do and no
//! server runs, to the same routes within this process.

use super::{
    args::Global,
    fault::{Exit, Fault},
};
use crate::{
    admin::{self, wire::Problem},
    config::{self, Settings},
    serve,
};
use anyhow::Context as _;
use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode, service::Service as _};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::Path, sync::Arc};
use tokio::net::UnixStream;

/// Runs a command that talks; one thread is enough for it.
pub(super) fn block_on(command: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

/// The configuration that the command line means.
pub(super) fn settings(global: &Global) -> Result<Settings, Fault> {
    let path = global.config.as_deref().unwrap_or(Path::new(config::DEFAULT_FILE));
    Ok(config::read(path, &global.set)?.settings)
}

/// A way to the routes.
pub(super) enum Client {
    /// To a running server.
    Socket(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    /// Within this process.
    Here(TowerToHyperService<Router>),
}

impl Client {
    /// To the running server; without one, exit code 75.
    pub(super) async fn server(global: &Global) -> Result<Self, Fault> {
        let settings = settings(global)?;
        let socket = &settings.admin.socket;
        Self::socket(socket).await.map_err(|error| Fault::new(Exit::Temporary, error))
    }

    /// To the running server, or to the accounts alone if none runs.
    pub(super) async fn accounts(global: &Global) -> Result<Self, Fault> {
        let settings = settings(global)?;
        match Self::socket(&settings.admin.socket).await {
            Ok(client) => Ok(client),
            Err(error) if no_server(&error) => Self::here(&settings).await,
            Err(error) => Err(Fault::new(Exit::Temporary, error)),
        }
    }

    async fn socket(path: &Path) -> anyhow::Result<Self> {
        let told = || format!("no server answers at {}", path.display());
        let stream = UnixStream::connect(path).await.with_context(told)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.with_context(told)?;
        // Ends by itself with the sender; its errors come out at the request.
        tokio::spawn(connection);
        Ok(Self::Socket(sender))
    }

    /// The accounts of a configuration, in this process.
    pub(super) async fn here(settings: &Settings) -> Result<Self, Fault> {
        let temporary = |error: directory::OpenError| Fault::new(Exit::Temporary, error);
        let key = directory::ServerKey::load_or_create(&settings.directory.key).map_err(temporary)?;
        let open = directory::Directory::open(&settings.directory.path, &key, serve::directory_settings(settings));
        let directory = Arc::new(open.await.map_err(temporary)?);
        let router = admin::router(admin::Backend { directory, server: None });
        Ok(Self::Here(TowerToHyperService::new(router)))
    }

    /// Asks for something.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Fault> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// Asks for a change, and for what came of it.
    pub(super) async fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Fault> {
        let body = self.send(method, path, body).await?;
        Ok(serde_json::from_slice(&body).context("the server's answer cannot be read")?)
    }

    /// Asks for a change of which nothing is told.
    pub(super) async fn tell(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(), Fault> {
        self.send(method, path, body).await.map(drop)
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Bytes, Fault> {
        let body = body.map(serde_json::to_vec).transpose().context("request")?.unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("host", "sekisho");
        let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body)));
        let request = request.context("request")?;
        match self {
            Self::Socket(sender) => {
                sender.ready().await.context("the server went away")?;
                answer(sender.send_request(request).await.context("the server went away")?).await
            }
            Self::Here(router) => answer(router.call(request).await.unwrap_or_else(|never| match never {})).await,
        }
    }
}

async fn answer<B>(response: Response<B>) -> Result<Bytes, Fault>
where
    B: hyper::body::Body,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let status = response.status();
    let body = response.into_body().collect().await.context("the server's answer breaks off")?.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(problem.into()),
        // What axum itself refuses (a path or query that cannot be read) is plain text.
        Err(_) => Err(Fault::new(exit(status), anyhow::anyhow!("{status}: {}", String::from_utf8_lossy(&body)))),
    }
}

fn exit(status: StatusCode) -> Exit {
    if status.is_server_error() { Exit::Temporary } else { Exit::Usage }
}

/// Nobody listens: no socket, or one that a dead server left.
fn no_server(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    error.downcast_ref::<std::io::Error>().is_some_and(|it| matches!(it.kind(), NotFound | ConnectionRefused))
}

/// A text as one segment of a path, or as a value of a query.
pub(super) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~@".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push('%');
            out.extend([octet >> 4, octet & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    out
}
