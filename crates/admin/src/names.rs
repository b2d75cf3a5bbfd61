//! `/v1/domains` and `/v1/aliases`.

use super::{ApiError, Shared, wire};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use directory::Switch;

/// Every domain that has accounts here.
#[utoipa::path(get, path = "/v1/domains", tag = "names", responses((status = 200, body = [wire::Domain])))]
pub(super) async fn domains(State(backend): Shared) -> Result<Json<Vec<wire::Domain>>, ApiError> {
    let domains = backend.directory.domains().await?;
    Ok(Json(
        domains
            .into_iter()
            .map(|it| wire::Domain { domain: it.domain, catch_all: it.catch_all, is_off: it.is_off })
            .collect(),
    ))
}

/// Makes a domain, if it is not there, and says who gets what is for nobody else.
#[utoipa::path(
    put, path = "/v1/domains/{domain}", tag = "names", params(("domain" = String, Path)),
    request_body = wire::DomainChange,
    responses((status = 204), (status = 400, body = wire::Problem), (status = 404, body = wire::Problem),
        (status = 409, description = "Nobody has the catch-all's address.", body = wire::Problem))
)]
pub(super) async fn put_domain(
    State(backend): Shared,
    Path(domain): Path<String>,
    Json(change): Json<wire::DomainChange>,
) -> Result<StatusCode, ApiError> {
    backend.directory.put_domain(&domain, change.catch_all.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switches a domain off for a while: its mail is to come later (450).
#[utoipa::path(put, path = "/v1/domains/{domain}/off", tag = "names", params(("domain" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
))]
pub(super) async fn domain_off(State(backend): Shared, Path(domain): Path<String>) -> Result<StatusCode, ApiError> {
    backend.directory.switch_domain(&domain, Switch::Off).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switches a domain on again.
#[utoipa::path(delete, path = "/v1/domains/{domain}/off", tag = "names", params(("domain" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
))]
pub(super) async fn domain_on(State(backend): Shared, Path(domain): Path<String>) -> Result<StatusCode, ApiError> {
    backend.directory.switch_domain(&domain, Switch::On).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a domain that has neither accounts nor aliases.
#[utoipa::path(delete, path = "/v1/domains/{domain}", tag = "names", params(("domain" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem), (status = 409, body = wire::Problem),
))]
pub(super) async fn delete_domain(State(backend): Shared, Path(domain): Path<String>) -> Result<StatusCode, ApiError> {
    backend.directory.remove_domain(&domain).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every alias.
#[utoipa::path(get, path = "/v1/aliases", tag = "names", responses((status = 200, body = [wire::Alias])))]
pub(super) async fn aliases(State(backend): Shared) -> Result<Json<Vec<wire::Alias>>, ApiError> {
    let aliases = backend.directory.aliases(None).await?;
    Ok(Json(aliases.into_iter().map(|it| wire::Alias { address: it.address, targets: it.targets }).collect()))
}

/// Lets an address lead to others. What leads to nobody or back to itself is refused, and so is what takes an account's mail
/// away, unless it keeps a copy.
#[utoipa::path(
    post, path = "/v1/aliases/{address}", tag = "names", params(("address" = String, Path)),
    request_body = wire::AliasTargets,
    responses((status = 204),
        (status = 400, description = "It would lead to nobody, or back to itself.", body = wire::Problem),
        (status = 404, body = wire::Problem),
        (status = 409, description = "It would take an account's mail away.", body = wire::Problem))
)]
pub(super) async fn add_alias(
    State(backend): Shared,
    Path(address): Path<String>,
    Json(new): Json<wire::AliasTargets>,
) -> Result<StatusCode, ApiError> {
    if new.keep_copy {
        backend.directory.add_alias_keeping_copy(&address, &new.targets).await?;
    } else {
        backend.directory.add_alias(&address, &new.targets).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Removes an alias.
#[utoipa::path(delete, path = "/v1/aliases/{address}", tag = "names", params(("address" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
    (status = 409, description = "Another alias or a catch-all leads to nobody without it.", body = wire::Problem),
))]
pub(super) async fn delete_alias(State(backend): Shared, Path(address): Path<String>) -> Result<StatusCode, ApiError> {
    backend.directory.remove_alias(&address, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
