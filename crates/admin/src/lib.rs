//! The admin API: what an operator may ask of a running server, as HTTP with JSON on a Unix socket.
//!
//! Who may write to the socket rules the server; there is no other login. The commands speak it by [`client`], and
//! when no server runs, the same routes are called in the command's own process over the directory alone, so that there is
//! one code for both. `docs/openapi.json` is made from here.

mod accounts;
mod activity;
mod alarms;
pub mod audit;
mod backup;
mod bans;
mod change;
mod choices;
pub mod client;
mod dnsbl;
mod error;
mod explain;
mod grants;
mod names;
mod queue;
mod records;
mod relay;
mod rights;
mod roll;
mod sessions;
mod socket;
pub mod wire;

pub use activity::NumbersNow;
pub use backup::Chunks;
pub use delivery::Retrier;
pub use error::ApiError;
pub use records::{Which as WhichRecords, find as find_records, of_id as records_of_id};
pub use sessions::Which as WhichSessions;
pub use socket::{BindError, bind, serve};

use ::audit::{AskDns, Report};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post, put},
};
use std::{pin::Pin, sync::Arc};
use utoipa::OpenApi;

/// Which configuration is to come into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichConfiguration {
    /// What the file says now.
    File,
    /// The one that was in force before.
    Before,
}

/// Puts a configuration in force; `Err` is what is wrong with it, and the old one stays in force.
pub type Reload =
    Box<dyn Fn(WhichConfiguration) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Computes who may relay, and what is dangerous in it.
pub type Audited = Box<dyn Fn(AskDns) -> Pin<Box<dyn Future<Output = Report> + Send>> + Send + Sync>;
/// Says what would become of a session; `Err` is what is wrong with the question.
pub type Explain = Box<
    dyn Fn(replay::Imagined) -> Pin<Box<dyn Future<Output = Result<replay::Explained, String>> + Send>> + Send + Sync,
>;

/// Says what would have had a recorded decision be accepted, a line each.
pub type AcceptedIf = Box<dyn Fn(::records::Kept) -> Pin<Box<dyn Future<Output = Vec<String>> + Send>> + Send + Sync>;

/// Begins the server's part of a backup, and hands it over as it is read.
pub type Backup = Box<dyn Fn(wire::BackupWanted) -> Chunks + Send + Sync>;

/// What the routes work on.
pub struct Backend {
    /// The accounts.
    pub directory: Arc<directory::Directory>,
    /// Where changes are recorded.
    pub audit: audit::Audit,
    /// The running server; `None` in a command that works on the directory alone.
    pub server: Option<Server>,
}

/// What only a running server has.
pub struct Server {
    /// Evidence of logins, and of guesses.
    pub state: Arc<state::State>,
    /// Keys the hash under which wrong guesses are told apart.
    pub guess_key: [u8; 32],
    /// The queue.
    pub spool: Arc<spool::Spool>,
    /// Tries mail at once; `None` where nothing delivers it.
    pub retrier: Option<Retrier>,
    /// `[relay.pop]` as it is now: it says how long a grant lasts.
    pub pop: Box<dyn Fn() -> config::Pop + Send + Sync>,
    /// Why an address may not be granted, as the configuration and the network are now.
    pub never: Box<dyn Fn(std::net::IpAddr) -> Option<guard::never_granted::Never> + Send + Sync>,
    /// For `sekisho reload`.
    pub reload: Reload,
    /// For `sekisho backup`.
    pub backup: Backup,
    /// The server in numbers; the queue is filled in here.
    pub status: Box<dyn Fn(wire::QueueStatus) -> wire::Status + Send + Sync>,
    /// The configuration in force.
    pub configuration: Box<dyn Fn() -> wire::Configuration + Send + Sync>,
    /// Who is connected.
    pub sessions: Box<dyn Fn() -> Vec<wire::Session> + Send + Sync>,
    /// Whether relaying is locked down.
    pub relay: Box<dyn Fn() -> wire::Relay + Send + Sync>,
    /// Lets every right to relay count again; false: they did. Blocks.
    pub unlock: Arc<dyn Fn() -> std::io::Result<bool> + Send + Sync>,
    /// The lists in DNS, and how they stand.
    pub lists: Box<dyn Fn() -> Vec<wire::DnsList> + Send + Sync>,
    /// The server in numbers, for `sekisho top`.
    pub numbers: NumbersNow,
    /// Alarms, and what senders and other servers did of late.
    pub watch: Arc<telemetry::Watch>,
    /// Who may relay.
    pub rights: Audited,
    /// What would become of a session that nobody had.
    pub explain: Explain,
    /// What would have had a recorded decision be accepted.
    pub accepted_if: AcceptedIf,
    /// Reads decisions that are kept, all that were made before among them; `None`: none are kept. Blocks.
    pub records: Box<dyn Fn() -> Option<::records::Reader> + Send + Sync>,
    /// Ends sessions; says how many.
    pub cut: Box<dyn Fn(&WhichSessions) -> usize + Send + Sync>,
}

impl Backend {
    fn server(&self) -> Result<&Server, ApiError> {
        self.server.as_ref().ok_or_else(ApiError::not_running)
    }
}

type Shared = State<Arc<Backend>>;

/// How long counting grants may take: a state that does not answer must not hide everything else.
const GRANTS_TIME: std::time::Duration = std::time::Duration::from_secs(3);

/// All routes.
pub fn router(backend: Backend) -> Router {
    let backend = Arc::new(backend);
    let recorded = axum::middleware::from_fn_with_state(Arc::clone(&backend), audit::record);
    Router::new()
        .route("/openapi.json", get(openapi_json))
        .route("/v1/reload", post(reload))
        .route("/v1/reload/rollback", post(roll_back))
        .route("/v1/backup", post(backup::make))
        .route("/v1/configuration", get(configuration))
        .route("/v1/status", get(status))
        .route("/v1/activity", get(activity::show))
        .route("/v1/accounts", get(accounts::list).post(accounts::add))
        .route("/v1/accounts/{login}", get(accounts::show).patch(accounts::set).delete(accounts::delete))
        .route("/v1/accounts/{login}/password", put(accounts::password))
        .route("/v1/accounts/{login}/lock", post(accounts::lock).delete(accounts::unlock))
        .route("/v1/accounts/{login}/devices", get(accounts::devices).post(accounts::add_device))
        .route("/v1/accounts/{login}/choices", get(choices::show).post(choices::change))
        .route("/v1/roll/accounts", post(roll::accounts))
        .route("/v1/roll/aliases", post(roll::aliases))
        .route("/v1/roll/hashes", post(roll::hashes))
        .route("/v1/devices/{login}", axum::routing::delete(accounts::revoke_device))
        .route("/v1/domains", get(names::domains))
        .route("/v1/domains/{domain}", put(names::put_domain).delete(names::delete_domain))
        .route("/v1/domains/{domain}/off", put(names::domain_off).delete(names::domain_on))
        .route("/v1/aliases", get(names::aliases))
        .route("/v1/aliases/{address}", post(names::add_alias).delete(names::delete_alias))
        .route("/v1/grants", get(grants::list).post(grants::add).delete(grants::revoke))
        .route("/v1/bans", get(bans::list).post(bans::add).delete(bans::lift))
        .route("/v1/sessions", get(sessions::list).delete(sessions::cut))
        .route("/v1/dnsbl", get(dnsbl::list))
        .route("/v1/relay", get(relay::show))
        .route("/v1/relay/lock", axum::routing::delete(relay::unlock))
        .route("/v1/alarms", get(alarms::list))
        .route("/v1/alarms/test", post(alarms::test))
        .route("/v1/explain", get(explain::imagined))
        .route("/v1/queue", get(queue::list))
        .route("/v1/queue/stats", get(queue::stats))
        .route("/v1/queue/{id}", get(queue::show).delete(queue::delete))
        .route("/v1/queue/retry", post(queue::retry))
        .route("/v1/queue/hold", post(queue::hold_of))
        .route("/v1/queue/release", post(queue::release_all))
        .route("/v1/queue/{id}/{action}", post(queue::act))
        .route("/v1/records", get(records::list))
        .route("/v1/records/{id}", get(records::show))
        .route("/v1/audit", get(audit::list))
        .route("/v1/rights", get(rights::show))
        .layer(DefaultBodyLimit::max(audit::BODY_OCTETS_MAX))
        .layer(recorded)
        .with_state(backend)
}

/// Reads the configuration again.
#[utoipa::path(post, path = "/v1/reload", tag = "server", responses(
    (status = 204, description = "The new configuration is in force."),
    (status = 422, description = "It has mistakes; the old one stays in force.", body = wire::Problem),
))]
async fn reload(State(backend): Shared) -> Result<axum::http::StatusCode, ApiError> {
    (backend.server()?.reload)(WhichConfiguration::File).await.map_err(ApiError::refused)?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// Puts the configuration in force that was so before the last reload or start that changed it. The file is left as it is.
#[utoipa::path(post, path = "/v1/reload/rollback", tag = "server", responses(
    (status = 204, description = "The earlier configuration is in force."),
    (status = 422, description = "There is none, or it cannot come into force now; nothing changes.", body = wire::Problem),
))]
async fn roll_back(State(backend): Shared) -> Result<axum::http::StatusCode, ApiError> {
    (backend.server()?.reload)(WhichConfiguration::Before).await.map_err(ApiError::refused)?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// The configuration in force.
#[utoipa::path(get, path = "/v1/configuration", tag = "server", responses((status = 200, body = wire::Configuration)))]
async fn configuration(State(backend): Shared) -> Result<Json<wire::Configuration>, ApiError> {
    Ok(Json((backend.server()?.configuration)()))
}

/// The running server: since when, where it listens, what it holds.
#[utoipa::path(get, path = "/v1/status", tag = "server", responses((status = 200, body = wire::Status)))]
async fn status(State(backend): Shared) -> Result<Json<wire::Status>, ApiError> {
    let server = backend.server()?;
    let mut status = (server.status)(queue::status(&server.spool));
    let grants = tokio::time::timeout(GRANTS_TIME, server.state.evidence()).await;
    status.grants = grants.ok().and_then(Result::ok).map(|grants| grants.value.len() as u64);
    status.alarms = alarms::in_force(&server.watch);
    Ok(Json(status))
}

async fn openapi_json() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}

/// The API's description (OpenAPI 3.1).
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Sekisho admin API", description = "HTTP on the Unix socket `admin.socket`.", license(name = "")),
    paths(
        reload,
        roll_back,
        backup::make,
        configuration,
        status,
        activity::show,
        audit::list,
        accounts::list,
        accounts::add,
        accounts::show,
        accounts::set,
        accounts::delete,
        accounts::password,
        accounts::lock,
        accounts::unlock,
        accounts::devices,
        accounts::add_device,
        accounts::revoke_device,
        choices::show,
        choices::change,
        names::domains,
        names::put_domain,
        names::delete_domain,
        names::domain_off,
        names::domain_on,
        names::aliases,
        names::add_alias,
        names::delete_alias,
        grants::list,
        grants::add,
        grants::revoke,
        bans::list,
        bans::add,
        bans::lift,
        sessions::list,
        sessions::cut,
        dnsbl::list,
        relay::show,
        relay::unlock,
        alarms::list,
        alarms::test,
        explain::imagined,
        queue::list,
        queue::stats,
        queue::show,
        queue::delete,
        queue::act,
        queue::retry,
        queue::hold_of,
        queue::release_all,
        rights::show,
        roll::accounts,
        roll::aliases,
        roll::hashes,
        records::list,
        records::show,
    )
)]
struct Description;

#[cfg(test)]
mod tests;
