//! `/v1/queue`.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use delivery::Wanted;
use keep::tally::COUNTED;
use serde::Deserialize;
use spool::{Filter, Listed, Origin, QueueId, RecipientState, UnixMicros};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Most messages in one answer; the next page begins behind the last id.
const PAGE_MAX: usize = 10_000;
const MICROS: u64 = 1_000_000;
/// Other servers that refuse, in one answer.
const FAR_SIDES: usize = 20;

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
    let server = backend.server()?;
    let (spool, watch) = (Arc::clone(&server.spool), &server.watch);
    // A long queue takes its time.
    let stats = tokio::task::spawn_blocking(move || spool.stats(now())).await.unwrap_or_default();
    let buckets =
        |of: Vec<(String, u64)>| of.into_iter().map(|(name, messages)| wire::Bucket { name, messages }).collect();
    let far_side =
        |it: telemetry::FarSide| wire::FarSide { domain: it.domain, temporary: it.temporary, permanent: it.permanent };
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
        origins: buckets(stats.origins),
        messages_an_hour_ago: watch.messages_before(),
        logins: buckets(stats.login_recipients),
        reasons: buckets(stats.reasons),
        far_sides: watch.far.top(FAR_SIDES, Instant::now()).into_iter().map(far_side).collect(),
        taken: Some(wire::Taken {
            messages: COUNTED.taken.read(0) + COUNTED.taken.read(1),
            null_sender: COUNTED.taken_null.read(),
        }),
    }))
}

/// The same for `/v1/status`.
pub(super) fn status(spool: &spool::Spool) -> wire::QueueStatus {
    let now = now();
    let stats = spool.stats(now);
    wire::QueueStatus {
        messages: stats.messages,
        active: stats.active,
        deferred: stats.deferred,
        held: stats.held,
        oldest_arrived_at: stats.oldest_arrived_at_unix_micros.map(|micros| wire::time(micros / MICROS)),
        // A clock that was put back is no negative time.
        oldest_secs: stats.oldest_waiting_arrived_at_unix_micros.map(|at| now.saturating_sub(at) / MICROS),
    }
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
}

/// Holds a message, or releases it.
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
    };
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(not_queued(&text)) }
}

/// Whose messages are held.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// Those of this login, by whichever right.
    login: Option<String>,
    /// Those of this client that came by a right without a login.
    client: Option<String>,
}

/// Why a message is held that the operator holds.
const OPERATOR: &str = "operator";
/// Rights without a login.
const WITHOUT_LOGIN: [&str; 3] = ["network", "client-map", "pop"];

/// Holds all messages of a login, or of a client: those that are being accepted among them.
#[utoipa::path(post, path = "/v1/queue/hold", tag = "queue", params(Whose), responses(
    (status = 200, body = wire::Count), (status = 400, body = wire::Problem),
))]
pub(super) async fn hold_of(State(backend): Shared, Query(whose): Query<Whose>) -> Result<Json<wire::Count>, ApiError> {
    let spool = &backend.server()?.spool;
    let held = match (&whose.login, &whose.client) {
        (Some(login), None) => spool.hold_of_login(backend.directory.known_login(login)?.as_str(), OPERATOR).await?,
        (None, Some(client)) => {
            let client: IpAddr = client.parse().map_err(|_| ApiError::invalid(format!("{client:?} is no address")))?;
            let client = client.to_canonical();
            let is_its = |envelope: &spool::Envelope| matches!(&envelope.origin, Origin::Account(sender) if sender.client == Some(client));
            let mut held = 0;
            for right in WITHOUT_LOGIN {
                held += spool.hold_of_grant(right, OPERATOR, is_its).await?;
            }
            held
        }
        _ => return Err(ApiError::invalid("one of login and client".to_owned())),
    };
    Ok(Json(wire::Count { count: held as u64 }))
}

/// Which messages are released.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HeldAs {
    /// Those that are held for this reason, as messages show it: `restored`, `operator`, `right-ended`.
    reason: String,
}

/// Releases all messages that are held for one reason. Recipients that are held by themselves stay so.
#[utoipa::path(post, path = "/v1/queue/release", tag = "queue", params(HeldAs), responses(
    (status = 200, body = wire::Count), (status = 400, body = wire::Problem),
))]
pub(super) async fn release_all(
    State(backend): Shared,
    Query(held): Query<HeldAs>,
) -> Result<Json<wire::Count>, ApiError> {
    let released = backend.server()?.spool.release_all(&held.reason, now()).await?;
    Ok(Json(wire::Count { count: released as u64 }))
}

/// What is tried.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichToTry {
    /// This message.
    id: Option<String>,
    /// Whatever goes there: a domain, or a destination as messages show it.
    destination: Option<String>,
    /// Whatever waits.
    #[serde(default)]
    all: bool,
}

/// How long the answer waits for the outcome.
const RETRY_PATIENCE: Duration = Duration::from_secs(20);

/// Tries messages now, whatever they wait for, and tells what came of it within 20 seconds.
#[utoipa::path(post, path = "/v1/queue/retry", tag = "queue", params(WhichToTry), responses(
    (status = 200, body = wire::Retried), (status = 400, body = wire::Problem), (status = 404, body = wire::Problem),
))]
pub(super) async fn retry(
    State(backend): Shared,
    Query(which): Query<WhichToTry>,
) -> Result<Json<wire::Retried>, ApiError> {
    let wanted = match (&which.id, &which.destination, which.all) {
        (Some(text), None, false) => Wanted::Message(id(text)?),
        (None, Some(name), false) => Wanted::Destination(name.clone()),
        (None, None, true) => Wanted::All,
        _ => return Err(ApiError::invalid("one of id, destination and all=true".to_owned())),
    };
    let retrier = backend.server()?.retrier.as_ref().ok_or_else(ApiError::not_running)?;
    let tried = retrier.retry(&wanted, RETRY_PATIENCE).await;
    let tried = tried.ok_or_else(|| not_queued(which.id.as_deref().unwrap_or("-")))?;
    let told = tried.told.into_iter().map(|it| wire::Attempt {
        id: it.queue_id.to_string(),
        forward_path: it.forward_path,
        outcome: it.kind.to_string(),
        relay: it.relay,
        reply: it.reply,
    });
    Ok(Json(wire::Retried {
        messages: tried.messages as u64,
        held: tried.held as u64,
        pending: tried.pending as u64,
        attempts: told.collect(),
    }))
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
