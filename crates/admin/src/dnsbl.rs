//! `/v1/dnsbl`: the lists in DNS, and how they stand.

use super::{ApiError, Shared, wire};
use axum::{Json, extract::State};

/// Every list, in the order of the configuration.
#[utoipa::path(get, path = "/v1/dnsbl", tag = "dnsbl", responses((status = 200, body = [wire::DnsList])))]
pub(super) async fn list(State(backend): Shared) -> Result<Json<Vec<wire::DnsList>>, ApiError> {
    Ok(Json((backend.server()?.lists)()))
}
