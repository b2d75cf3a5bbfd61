//! `/v1/rights`: who may relay, by what right, and what is dangerous in it.

use super::{ApiError, Shared, wire};
use ::audit::AskDns;
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;

/// What is looked at.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// Ask DNS about your domains and addresses, too.
    #[serde(default)]
    dns: bool,
}

/// Who may relay, computed from what is in force now.
#[utoipa::path(get, path = "/v1/rights", tag = "server", params(How), responses((status = 200, body = wire::Rights)))]
pub(super) async fn show(State(backend): Shared, Query(how): Query<How>) -> Result<Json<wire::Rights>, ApiError> {
    let ask = if how.dns { AskDns::Yes } else { AskDns::No };
    let report = (backend.server()?.rights)(ask).await;
    // Texts, numbers and lists of those: nothing in it can fail.
    Ok(Json(wire::Rights { report: serde_json::to_value(report).unwrap_or_default() }))
}
