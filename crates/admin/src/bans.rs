//! `/v1/bans`: who may not connect for a while.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use state::{Ban, BanError, ByHand};
use std::{net::IpAddr, time::Duration};

/// Longest ban by hand, in minutes: a year.
const MINUTES_MAX: u32 = 527_040;
/// What a ban by hand lasts if nothing is said: a day.
const MINUTES: u32 = 1_440;
/// What it is told to be for.
const REASON: &str = "operator";

/// Every ban that has not ended.
#[utoipa::path(get, path = "/v1/bans", tag = "bans", responses((status = 200, body = [wire::Ban])))]
pub(super) async fn list(State(backend): Shared) -> Result<Json<Vec<wire::Ban>>, ApiError> {
    let bans = backend.server()?.state.bans().await?;
    Ok(Json(bans.iter().map(ban).collect()))
}

/// Bans an address, or the IPv6 /64 that it is in.
#[utoipa::path(post, path = "/v1/bans", tag = "bans", request_body = wire::NewBan, responses(
    (status = 201, body = wire::Ban), (status = 400, body = wire::Problem),
))]
pub(super) async fn add(
    State(backend): Shared,
    Json(new): Json<wire::NewBan>,
) -> Result<(StatusCode, Json<wire::Ban>), ApiError> {
    let minutes = new.minutes.unwrap_or(MINUTES);
    if !(1..=MINUTES_MAX).contains(&minutes) {
        return Err(ApiError::invalid(format!("{minutes} minutes: 1 to {MINUTES_MAX} are possible")));
    }
    let by_hand = ByHand {
        addr: address(&new.address)?,
        reason: new.reason.as_deref().unwrap_or(REASON),
        span: Duration::from_secs(u64::from(minutes) * 60),
    };
    let begun = backend.server()?.state.ban(&by_hand).await.map_err(|error| match error {
        BanError::Never { .. } => ApiError::invalid(error.to_string()),
        BanError::State(error) => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(ban(&begun))))
}

/// Which bans to lift: that of an address, or all.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// That of this client address.
    address: Option<String>,
    /// Every one.
    #[serde(default)]
    all: bool,
}

/// Lifts bans, at once; that they were is forgotten, too.
#[utoipa::path(delete, path = "/v1/bans", tag = "bans", params(Which), responses(
    (status = 200, body = wire::Count), (status = 400, body = wire::Problem),
))]
pub(super) async fn lift(State(backend): Shared, Query(which): Query<Which>) -> Result<Json<wire::Count>, ApiError> {
    let which = match (which.address.as_deref().map(address).transpose()?, which.all) {
        (Some(addr), false) => Some(addr),
        (None, true) => None,
        _ => return Err(ApiError::invalid("an address, or all".to_owned())),
    };
    let count = backend.server()?.state.lift(which).await?;
    Ok(Json(wire::Count { count: count as u64 }))
}

fn address(text: &str) -> Result<IpAddr, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(format!("{text:?} is no address")))
}

fn ban(ban: &Ban) -> wire::Ban {
    wire::Ban {
        address: ban.addr.to_string(),
        reason: ban.reason.clone(),
        since: wire::system_time(ban.since),
        until: wire::system_time(ban.ends),
        before: ban.before,
    }
}
