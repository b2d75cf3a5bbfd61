//! Every change that is asked for, done or not, is a line of the log and of an append-only file: who (as the system says, not as
//! the client does), what, on what, and what came of it. Never a secret.
//!
//! | file | answers for |
//! |---|---|
//! | [`entry`] | a change as it is kept |
//! | `named` | what a request changes, in words |

pub mod entry;
mod named;

use super::{ApiError, Shared, error::Failure, wire};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Query, Request, State, connect_info::Connected},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
    serve::IncomingStream,
};
use entry::{Change, Changes, Who};
use keep::{
    Ledger,
    chain::{Chain, Key, is_beginning},
};
use serde::Deserialize;
use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::net::UnixListener;
use tracing::{error, info};

/// Its name in the data directory.
const FILE: &str = "audit.jsonl";
/// Octets of a request that changes something: a table of some 50,000 people.
pub(super) const BODY_OCTETS_MAX: usize = 8 << 20;
/// Octets of `/etc/passwd` that are read for a user's name.
const PASSWD_OCTETS_MAX: u64 = 4 << 20;
/// Changes that are listed where nobody says how many.
const COUNT: usize = 100;
/// Changes that are listed at once.
const COUNT_MAX: usize = 10_000;

/// The file of changes, each bound to the one before.
#[derive(Debug, Clone)]
pub struct Audit {
    chain: Chain,
}

/// Where changes lie in a data directory.
fn ledger(data_dir: &Path) -> Ledger {
    Ledger::new(data_dir.join(FILE))
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer(Option<Who>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let peer = stream.io().peer_cred().ok();
        Self(peer.map(|peer| Who { uid: peer.uid(), user: None, pid: peer.pid() }))
    }
}

/// Which changes to list.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// So many, the newest; 100 by default, at most 10,000.
    pub count: Option<usize>,
    /// Not older than so many hours.
    pub hours: Option<u32>,
}

impl Audit {
    /// In the data directory. Nothing is made until there is a change.
    pub fn new(data_dir: &Path, key: Key) -> Self {
        Self { chain: Chain::new(ledger(data_dir), "changes", key) }
    }

    /// The chain of lines.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What is there. Blocks.
    pub fn read(&self, which: Which) -> io::Result<Changes> {
        read(self.chain.ledger(), which)
    }

    /// What is in a data directory, without a key. Blocks.
    pub fn read_in(data_dir: &Path, which: Which) -> io::Result<Changes> {
        read(&ledger(data_dir), which)
    }

    /// Keeps a change. What cannot be kept is told: it was done all the same, and an operator who locks an account while the
    /// disk is full must not be turned away.
    async fn keep(&self, change: Change) {
        tell(&change);
        let chain = self.chain.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let line = serde_json::to_string(&change).map_err(io::Error::other)?;
            chain.append(&line).map(drop)
        });
        if let Err(error) = kept.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            error!(%error, note = "the change stands in the log only", "audit unwritten");
        }
    }
}

fn read(ledger: &Ledger, which: Which) -> io::Result<Changes> {
    let count = which.count.unwrap_or(COUNT).min(COUNT_MAX);
    let since = which.hours.map(|hours| oldest(Duration::from_secs(u64::from(hours) * 3_600)));
    let (mut found, mut older) = (Changes::default(), false);
    let room = std::cell::Cell::new(true);
    ledger.read(
        || room.get(),
        |line| {
            if found.changes.len() >= count || older {
                room.set(false);
                return;
            }
            if is_beginning(line) {
                return;
            }
            match serde_json::from_str::<Change>(line) {
                Ok(change) if since.as_ref().is_some_and(|since| change.at < *since) => older = true,
                Ok(change) => found.changes.push(change),
                Err(_) => found.unreadable += 1,
            }
        },
    )?;
    found.changes.reverse();
    Ok(found)
}

/// RFC 3339 in UTC to the second sorts as text.
fn oldest(back: Duration) -> String {
    wire::system_time(SystemTime::now().checked_sub(back).unwrap_or(UNIX_EPOCH))
}

fn tell(change: &Change) {
    let Change { who, change, on, with, done, error, .. } = change;
    let with = (!with.is_empty()).then(|| serde_json::to_string(with).unwrap_or_default());
    info!(user = ?who.user.as_deref().unwrap_or_default(), uid = who.uid, pid = who.pid, change = ?change, on = ?on,
        with = with.as_ref().map(tracing::field::debug), done, error = error.as_ref().map(tracing::field::debug), "admin change");
}

/// Around every route: what only reads goes through. A client that goes away ends neither the change nor the entry of it.
pub(super) async fn record(State(backend): Shared, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let recorded = tokio::spawn(async move {
        let (parts, body) = request.into_parts();
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        let who = match peer {
            Some(ConnectInfo(Peer(who))) => who.clone(),
            None => ourselves(),
        };
        let body = to_bytes(body, BODY_OCTETS_MAX).await;
        let named = named::named(&parts.method, &parts.uri, body.as_deref().unwrap_or_default());
        let response = match body {
            Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
            Err(error) => ApiError::invalid(format!("request: {error}")).into_response(),
        };
        let status = response.status();
        let error = (!status.is_success()).then(|| match response.extensions().get::<Failure>() {
            Some(Failure(text)) => named::cut(text),
            None => status.to_string(),
        });
        let named::Named { change, on, with } = named;
        let who = with_name(who).await;
        let at = wire::system_time(SystemTime::now());
        backend.audit.keep(Change { at, who, change, on, with, done: error.is_none(), error }).await;
        response
    });
    recorded.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Where no server runs, the command itself makes the change.
fn ourselves() -> Option<Who> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid();
    Some(Who { uid, user: None, pid: i32::try_from(std::process::id()).ok() })
}

/// The overflow user where the system does not say who it is.
async fn with_name(who: Option<Who>) -> Who {
    let who = who.unwrap_or(Who { uid: 65_534, user: None, pid: None });
    let uid = who.uid;
    let named = tokio::task::spawn_blocking(move || user_name(uid)).await;
    Who { user: named.ok().flatten(), ..who }
}

fn user_name(uid: u32) -> Option<String> {
    let passwd = keep::read(Path::new("/etc/passwd"), PASSWD_OCTETS_MAX, keep::Accepts::RegularFile).ok()?;
    String::from_utf8_lossy(&passwd).lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| named::cut(name))
    })
}

/// What administrators changed, and tried to.
#[utoipa::path(get, path = "/v1/audit", tag = "server", params(Which), responses((status = 200, body = Changes)))]
pub(super) async fn list(State(backend): Shared, Query(which): Query<Which>) -> Result<Json<Changes>, ApiError> {
    let audit = backend.audit.clone();
    let read = tokio::task::spawn_blocking(move || audit.read(which)).await;
    let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
    read.map(Json).map_err(|error| ApiError::temporary(format!("{FILE}: {error}")))
}
