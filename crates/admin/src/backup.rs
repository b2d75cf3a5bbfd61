//! `/v1/backup`.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use hyper::body::Frame;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc::Receiver;

/// What comes from who reads the server's files.
pub type Chunks = Receiver<io::Result<Bytes>>;

/// The server's part of a backup: queue, state, accounts, lines and, if it is asked for, mail.
///
/// A tar archive whose last file is `manifest.json`; without that it broke off. All that was acknowledged before the request is in
/// it, or was delivered. Each message of the queue is held in it as `restored`. Keys and configuration are no part of it.
#[utoipa::path(post, path = "/v1/backup", tag = "server", request_body = wire::BackupWanted, responses(
    (status = 200, description = "The archive.", content_type = "application/x-tar"),
    (status = 503, body = wire::Problem),
))]
pub(super) async fn make(State(backend): Shared, Json(wanted): Json<wire::BackupWanted>) -> Result<Response, ApiError> {
    let chunks = (backend.server()?.backup)(wanted);
    Ok(([(CONTENT_TYPE, "application/x-tar")], Body::new(Archive(chunks))).into_response())
}

struct Archive(Chunks);

impl hyper::body::Body for Archive {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}
