//! `/v1/sessions`: who is connected to our own listeners, and who is cut.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use std::net::IpAddr;

/// Which sessions to cut: those of which all that is named is so.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The one with this id.
    pub session: Option<String>,
    /// Those of this login.
    pub login: Option<String>,
    /// Those of this client.
    #[param(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// Every one.
    #[serde(default)]
    pub all: bool,
}

/// Every open session, the oldest first.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", responses((status = 200, body = [wire::Session])))]
pub(super) async fn list(State(backend): Shared) -> Result<Json<Vec<wire::Session>>, ApiError> {
    Ok(Json((backend.server()?.sessions)()))
}

/// Ends sessions: SMTP with 421, POP3 without deleting anything.
#[utoipa::path(delete, path = "/v1/sessions", tag = "sessions", params(Which), responses(
    (status = 200, body = wire::Count), (status = 400, body = wire::Problem),
))]
pub(super) async fn cut(State(backend): Shared, Query(mut which): Query<Which>) -> Result<Json<wire::Count>, ApiError> {
    let server = backend.server()?;
    if which == Which::default() {
        return Err(ApiError::invalid("name a session, a login or a client, or say all".to_owned()));
    }
    let known = which.login.map(|login| backend.directory.known_login(&login)).transpose()?;
    which.login = known.map(|login| login.to_string());
    let count = (server.cut)(&which);
    Ok(Json(wire::Count { count: count as u64 }))
}
