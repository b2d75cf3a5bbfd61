//! `/v1/relay`: whether relaying is locked down, since a stranger could relay.

use super::{ApiError, Shared, wire};
use axum::{Json, extract::State};
use std::{io, sync::Arc};

/// Whether relaying is locked down, why, and what our own probes came to last.
#[utoipa::path(get, path = "/v1/relay", tag = "relay", responses((status = 200, body = wire::Relay)))]
pub(super) async fn show(State(backend): Shared) -> Result<Json<wire::Relay>, ApiError> {
    Ok(Json((backend.server()?.relay)()))
}

/// Lets every right to relay count again.
#[utoipa::path(delete, path = "/v1/relay/lock", tag = "relay", responses(
    (status = 200, description = "How many locks there were: 1 or 0.", body = wire::Count),
    (status = 503, description = "It is locked as before.", body = wire::Problem),
))]
pub(super) async fn unlock(State(backend): Shared) -> Result<Json<wire::Count>, ApiError> {
    let unlock = Arc::clone(&backend.server()?.unlock);
    let unlocked = tokio::task::spawn_blocking(move || unlock()).await;
    match unlocked.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(was_locked) => Ok(Json(wire::Count { count: u64::from(was_locked) })),
        Err(error) => Err(ApiError::temporary(format!("relaying is locked as before: {error}"))),
    }
}
