//! `/v1/explain`: what would become of a session that nobody had.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    extract::{Query, State},
};
use replay::{Imagined, Security};
use serde::Deserialize;
use std::net::IpAddr;

/// A session.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Session {
    /// The client's address.
    client: String,
    /// What it calls itself.
    helo: Option<String>,
    /// The reverse-path; empty: the null one.
    from: Option<String>,
    /// The forward-path.
    to: Option<String>,
    /// Who logged in.
    auth: Option<String>,
    /// The listener's name.
    listener: Option<String>,
    /// Whether it uses TLS.
    #[serde(default)]
    tls: bool,
}

/// What would become of a session, by what is known now. Nothing is counted, remembered or kept.
#[utoipa::path(get, path = "/v1/explain", tag = "decisions", params(Session), responses(
    (status = 200, body = wire::Explained), (status = 400, body = wire::Problem),
))]
pub(super) async fn imagined(
    State(backend): Shared,
    Query(session): Query<Session>,
) -> Result<Json<wire::Explained>, ApiError> {
    let server = backend.server()?;
    let Session { client, helo, from, to, auth, listener, tls } = session;
    let client: IpAddr = client.parse().map_err(|_| ApiError::invalid(format!("\"{client}\" is no address")))?;
    let security = if tls { Security::Tls } else { Security::PlainText };
    let explained = (server.explain)(Imagined { client, helo, from, to, auth, listener, security }).await;
    let explained = explained.map_err(ApiError::invalid)?;
    let decision = serde_json::to_value(&explained.decision).unwrap_or_default();
    let replay::Explained { accepted_if, banned, .. } = explained;
    Ok(Json(wire::Explained { decision, accepted_if, banned }))
}
