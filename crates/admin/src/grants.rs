//! `/v1/grants`: the evidence of POP logins, by hand.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use guard::{PopEvidence, PopSource, Subject};
use serde::Deserialize;
use state::{PopLogin, Revoke};
use std::{net::IpAddr, time::Duration};

/// Longest grant by hand, in minutes: a day, as in the configuration.
const MINUTES_MAX: u32 = 1_440;

/// Every live grant.
#[utoipa::path(get, path = "/v1/grants", tag = "grants", responses((status = 200, body = [wire::Grant])))]
pub(super) async fn list(State(backend): Shared) -> Result<Json<Vec<wire::Grant>>, ApiError> {
    let grants = backend.server()?.state.evidence().await?.value;
    Ok(Json(grants.iter().map(grant).collect()))
}

/// Lets an address relay as an account, as if that had logged in by POP.
#[utoipa::path(post, path = "/v1/grants", tag = "grants", request_body = wire::NewGrant, responses(
    (status = 201, body = wire::Grant), (status = 400, body = wire::Problem), (status = 404, body = wire::Problem),
))]
pub(super) async fn add(
    State(backend): Shared,
    Json(new): Json<wire::NewGrant>,
) -> Result<(StatusCode, Json<wire::Grant>), ApiError> {
    let server = backend.server()?;
    let pop = (server.pop)();
    if !pop.enabled {
        return Err(ApiError::invalid("`relay.pop.enabled` is false: such a grant would permit nothing".to_owned()));
    }
    let minutes = new.minutes.filter(|minutes| !(1..=MINUTES_MAX).contains(minutes));
    if let Some(minutes) = minutes {
        return Err(ApiError::invalid(format!("{minutes} minutes: 1 to {MINUTES_MAX} are possible")));
    }
    let address = address(&new.address)?;
    if let Some(never) = (server.never)(address) {
        let remedy = never.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        return Err(ApiError::invalid(format!("{address} {never}, and is never granted{remedy}")));
    }
    let addr = guard::cut_ipv6(address, pop.ipv6_prefix);
    let login = backend.directory.account(&new.login).await?.login;
    let lifetime = new.minutes.map_or(pop.lifetime, |minutes| Duration::from_secs(u64::from(minutes) * 60));
    let evidence =
        PopLogin { addr, subject: Subject::Account(login.clone()), source: PopSource::Operator, device: None };
    let recorded = server.state.record(evidence, lifetime).await?;
    let grant = wire::Grant {
        address: addr.to_string(),
        login: Some(login),
        device: None,
        server: None,
        granted_at: wire::system_time(recorded.granted_at),
        expires_at: wire::system_time(recorded.expires_at),
        shared: recorded.shared,
        source: PopSource::Operator.code().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(grant)))
}

/// Which grants to take back: of an address, of a login, of both at once, or all.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those of this client address.
    address: Option<String>,
    /// Those of this account.
    login: Option<String>,
    /// Every one.
    #[serde(default)]
    all: bool,
}

/// Takes grants back, at once.
#[utoipa::path(delete, path = "/v1/grants", tag = "grants", params(Which), responses(
    (status = 200, body = wire::Count), (status = 400, body = wire::Problem),
))]
pub(super) async fn revoke(State(backend): Shared, Query(which): Query<Which>) -> Result<Json<wire::Count>, ApiError> {
    let server = backend.server()?;
    let prefix = (server.pop)().ipv6_prefix;
    let addr = which.address.as_deref().map(address).transpose()?.map(|addr| guard::cut_ipv6(addr, prefix));
    let login = match which.login {
        Some(login) => Some(backend.directory.known_login(&login)?.into()),
        None => None,
    };
    let which = match (addr, login, which.all) {
        (Some(addr), Some(login), false) => Revoke::Both(addr, login),
        (Some(addr), None, false) => Revoke::Addr(addr),
        (None, Some(login), false) => Revoke::Login(login),
        (None, None, true) => Revoke::All,
        _ => return Err(ApiError::invalid("an address, a login, both, or all".to_owned())),
    };
    let count = server.state.revoke(which).await?;
    Ok(Json(wire::Count { count: count as u64 }))
}

fn address(text: &str) -> Result<IpAddr, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(format!("{text:?} is no address")))
}

fn grant(evidence: &PopEvidence) -> wire::Grant {
    wire::Grant {
        address: evidence.addr().to_string(),
        login: evidence.login().map(str::to_owned),
        device: evidence.device().map(str::to_owned),
        server: match evidence.subject() {
            Subject::Server(server) => Some(server.to_string()),
            Subject::Account(_) => None,
        },
        granted_at: wire::system_time(evidence.granted_at()),
        expires_at: wire::system_time(evidence.expires_at()),
        shared: evidence.is_shared(),
        source: evidence.source().code().to_owned(),
    }
}
