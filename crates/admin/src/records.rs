//! `/v1/records`: decisions, as they are kept.

use super::{ApiError, Shared, wire};
use ::records::{OfId, Reader, Search, Whose, search};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use std::time::SystemTime;

/// Records that are found where nobody says how many.
const LIMIT: usize = 100;

/// Which records to find: those of which all that is named is so.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The one with this id.
    pub id: Option<String>,
    /// Those of this session.
    pub session: Option<String>,
    /// Those of this client: an address or a network.
    pub client: Option<String>,
    /// Those of this login, or with this login refused.
    pub login: Option<String>,
    /// The same login as its owner may have typed it: without its domain.
    pub short: Option<String>,
    /// Those with this address in either path, or with any of a domain: `@DOMAIN`.
    pub address: Option<String>,
    /// Those refused for this reason.
    pub reason: Option<String>,
    /// Not older: `30m`, `24h`, `7d`, or `YYYY-MM-DD[THH:MM[:SS]]`, with or without a zone.
    pub since: Option<String>,
    /// Older than this, in the same form.
    pub until: Option<String>,
    /// So many, the newest; 100 by default, at most 10,000.
    pub limit: Option<usize>,
}

impl Which {
    /// What is looked for, or what is wrong with it.
    pub fn meant(self) -> Result<Search, String> {
        let now = SystemTime::now();
        let when = |text: Option<String>| text.map(|text| search::when(&text, now)).transpose();
        let client = self.client.map(|text| search::client(&text).ok_or(text)).transpose();
        Ok(Search {
            id: self.id,
            session: self.session,
            client: client.map_err(|text| format!("{text:?} is neither an address nor a network"))?,
            login: self.login,
            short: self.short,
            address: self.address.map(|text| Whose::parse(&text)),
            reason: self.reason,
            since: when(self.since).map_err(|error| error.to_string())?,
            until: when(self.until).map_err(|error| error.to_string())?,
            limit: self.limit.unwrap_or(LIMIT),
        })
    }
}

/// Finds records: for the server, and for a command that reads the files itself. Blocks.
pub fn find(reader: &Reader, which: Which) -> Result<wire::Records, ApiError> {
    let found = reader.search(which.meant().map_err(ApiError::invalid)?).map_err(|error| unreadable(&error))?;
    Ok(wire::Records { records: found.records, more: found.more, damaged: found.damaged, dropped: 0 })
}

/// What is kept of an id, in the same way. That nothing is, is an error that says how long records are kept.
pub fn of_id(reader: &Reader, id: &str) -> Result<wire::RecordsOfId, ApiError> {
    let found = reader.of_id(id).map_err(|error| unreadable(&error))?;
    if found.records.is_empty() && found.beside.is_empty() {
        let days = reader.keep().as_secs() / 86_400;
        let damage = match found.damaged {
            0 => String::new(),
            stretches => format!("; {stretches} stretches of the files cannot be read"),
        };
        let text = format!(
            "no record of {id:?}: records are kept for {days} days (records.keep_days), and fewer where records.max_octets is reached{damage}"
        );
        return Err(ApiError::not_found(text));
    }
    let OfId { records, beside, damaged } = found;
    Ok(wire::RecordsOfId { records, session: beside, accepted_if: Vec::new(), damaged })
}

fn unreadable(error: &::records::ReadError) -> ApiError {
    ApiError::temporary(format!("{error}: {}", error.source))
}

/// On a thread that may wait for the disk.
async fn reading<T: Send + 'static>(
    State(backend): Shared,
    read: impl FnOnce(&Reader) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let read = tokio::task::spawn_blocking(move || {
        let reader = (backend.server()?.records)();
        read(&reader.ok_or_else(|| ApiError::not_found("no records are kept: records.enabled = false".to_owned()))?)
    });
    read.await.unwrap_or_else(|error| Err(ApiError::temporary(error.to_string())))
}

/// Decisions that were kept, the newest first.
#[utoipa::path(get, path = "/v1/records", tag = "records", params(Which), responses(
    (status = 200, body = wire::Records), (status = 400, body = wire::Problem),
))]
pub(super) async fn list(backend: Shared, Query(which): Query<Which>) -> Result<Json<wire::Records>, ApiError> {
    let State(shared) = &backend;
    let server = std::sync::Arc::clone(shared);
    let mut found = reading(backend, move |reader| find(reader, which)).await?;
    let status = (server.server()?.status)(wire::QueueStatus::default());
    found.dropped = status.records.map_or(0, |records| records.dropped);
    Ok(Json(found))
}

/// What is kept of the id of a decision or session.
#[utoipa::path(get, path = "/v1/records/{id}", tag = "records", params(("id" = String, Path)), responses(
    (status = 200, body = wire::RecordsOfId), (status = 404, body = wire::Problem),
))]
pub(super) async fn show(backend: Shared, Path(id): Path<String>) -> Result<Json<wire::RecordsOfId>, ApiError> {
    let State(shared) = &backend;
    let server = std::sync::Arc::clone(shared);
    let mut found = reading(backend, move |reader| of_id(reader, &id)).await?;
    for kept in &found.records {
        found.accepted_if.push((server.server()?.accepted_if)(kept.clone()).await);
    }
    Ok(Json(found))
}
