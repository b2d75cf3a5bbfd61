//! `/v1/queue`.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use spool::{Filter, Listed, Origin, QueueId, RecipientState, UnixMicros};
use std::time::{SystemTime, UNIX_EPOCH};

/// Most messages in one answer; the next page begins behind the last id.
const PAGE_MAX: usize = 10_000;
const MICROS: u64 = 1_000_000;

/// Which messages.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only those behind this id.
    after: Option<String>,
    /// At most so many, up to 10,000; 1,000 if not given.
    limit: Option<usize>,
    /// Only those that are held, or that are not.
    held: Option<bool>,
    /// Only those of this login.
    login: Option<String>,
}

/// Messages in the order of their ids.
#[utoipa::path(get, path = "/v1/queue", tag = "queue", params(Which), responses(
    (status = 200, body = [wire::Message]), (status = 400, body = wire::Problem),
))]
pub(super) async fn list(
    State(backend): Shared,
    Query(which): Query<Which>,
) -> Result<Json<Vec<wire::Message>>, ApiError> {
    let filter = Filter {
        after: which.after.as_deref().map(id).transpose()?,
        limit: which.limit.unwrap_or(1_000).min(PAGE_MAX),
        held: which.held,
        account: which.login.map(|login| backend.directory.known_login(&login)).transpose()?.map(String::from),
    };
    let listed = backend.server()?.spool.list(&filter).await;
    Ok(Json(listed.into_iter().map(message).collect()))
}

/// The queue in numbers.
#[utoipa::path(get, path = "/v1/queue/stats", tag = "queue", responses((status = 200, body = wire::QueueStats)))]
pub(super) async fn stats(State(backend): Shared) -> Result<Json<wire::QueueStats>, ApiError> {
    let stats = backend.server()?.spool.stats(now());
    let age = |up_to: Option<&str>| up_to.map_or_else(|| "older".to_owned(), |up_to| format!("up to {up_to}"));
    Ok(Json(wire::QueueStats {
        messages: stats.messages,
        recipients: stats.recipients,
        held: stats.held,
        active: stats.active,
        deferred: stats.deferred,
        message_octets: stats.message_octets,
        disk_octets: stats.disk_octets,
        oldest_arrived_at: stats.oldest_arrived_at_unix_micros.map(|micros| wire::time(micros / MICROS)),
        ages: stats.ages.iter().map(|it| wire::Bucket { name: age(it.up_to), messages: it.messages }).collect(),
        origins: stats.origins.into_iter().map(|(name, messages)| wire::Bucket { name, messages }).collect(),
    }))
}

/// One message.
#[utoipa::path(get, path = "/v1/queue/{id}", tag = "queue", params(("id" = String, Path)), responses(
    (status = 200, body = wire::Message), (status = 404, body = wire::Problem),
))]
pub(super) async fn show(State(backend): Shared, Path(text): Path<String>) -> Result<Json<wire::Message>, ApiError> {
    let found = backend.server()?.spool.show(id(&text)?).await;
    found.map(|it| Json(message(it))).ok_or_else(|| not_queued(&text))
}

/// Takes a message out for good, without a word to anybody.
#[utoipa::path(delete, path = "/v1/queue/{id}", tag = "queue", params(("id" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
))]
pub(super) async fn delete(State(backend): Shared, Path(text): Path<String>) -> Result<StatusCode, ApiError> {
    let found = backend.server()?.spool.delete(id(&text)?).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(not_queued(&text)) }
}

/// What is done with a message.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// Keep it until it is released.
    Hold,
    /// Let it go, and its recipients that are held.
    Release,
    /// Try it now.
    Retry,
}

/// Holds a message, releases it, or tries it now.
#[utoipa::path(
    post, path = "/v1/queue/{id}/{action}", tag = "queue", params(("id" = String, Path), ("action" = Action, Path)),
    responses((status = 204), (status = 404, body = wire::Problem))
)]
pub(super) async fn act(
    State(backend): Shared,
    Path((text, action)): Path<(String, Action)>,
) -> Result<StatusCode, ApiError> {
    let spool = &backend.server()?.spool;
    let id = id(&text)?;
    let found = match action {
        Action::Hold => spool.hold(id).await?,
        Action::Release => spool.release(id, now()).await?,
        Action::Retry => spool.retry(id, now()).await?,
    };
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(not_queued(&text)) }
}

fn id(text: &str) -> Result<QueueId, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(format!("{text:?} is no queue id")))
}

fn not_queued(id: &str) -> ApiError {
    ApiError::not_found(format!("no such message in the queue: {id}"))
}

fn now() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn message(listed: Listed) -> wire::Message {
    let (origin, login, grant) = match listed.origin {
        Origin::Outside => ("outside", None, None),
        Origin::Account(sender) => ("account", sender.login, Some(sender.grant)),
        Origin::Bounce => ("bounce", None, None),
    };
    let recipients = listed.recipients.into_iter().map(|it| wire::MessageRecipient {
        forward_path: it.forward_path,
        target: it.target.destination(),
        given: it.via.as_ref().map(|via| via.given.clone()),
        alias: it.via.map(|via| via.alias),
        state: state(it.state).to_owned(),
        attempts: it.attempts,
        due_at: wire::time(it.due_at_unix_micros / MICROS),
        reason: it.reason,
    });
    wire::Message {
        id: listed.id.to_string(),
        reverse_path: listed.reverse_path,
        origin: origin.to_owned(),
        login,
        grant,
        arrived_at: wire::time(listed.arrived_at_unix_micros / MICROS),
        message_octets: listed.message_octets,
        session: listed.session,
        held: listed.held,
        hold: listed.hold,
        active: listed.active,
        recipients: recipients.collect(),
    }
}

fn state(state: RecipientState) -> &'static str {
    match state {
        RecipientState::Waiting => "waiting",
        RecipientState::Delivered => "delivered",
        RecipientState::Failed => "failed",
        RecipientState::Expired => "expired",
        RecipientState::Held => "held",
    }
}
