//! `/v1/accounts/{login}/choices`: whose mail an account takes.

use super::{ApiError, Shared, accounts, wire};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use directory::Others;

/// Whose mail an account takes.
#[utoipa::path(get, path = "/v1/accounts/{login}/choices", tag = "accounts", params(("login" = String, Path)), responses(
    (status = 200, body = wire::Choices), (status = 404, body = wire::Problem),
))]
pub(super) async fn show(State(backend): Shared, Path(login): Path<String>) -> Result<Json<wire::Choices>, ApiError> {
    let choices = backend.directory.choices(&login).await?;
    let accept_only = match choices.others {
        Others::Taken => wire::OnOff::Off,
        Others::NotTaken => wire::OnOff::On,
    };
    Ok(Json(wire::Choices { accept_only, accept: choices.accepted, refuse: choices.refused }))
}

/// Changes whose mail an account takes; with the account's password, only if that is right.
#[utoipa::path(
    post, path = "/v1/accounts/{login}/choices", tag = "accounts", params(("login" = String, Path)),
    request_body = wire::ChoiceChange,
    responses((status = 204), (status = 400, description = "What is named is no sender.", body = wire::Problem),
        (status = 403, body = wire::Problem),
        (status = 404, description = "There is no such account, or what is to be removed is not there.", body = wire::Problem),
        (status = 409, description = "It would have more than 1,000 senders.", body = wire::Problem),
        (status = 503, description = "Too many wrong passwords lately.", body = wire::Problem))
)]
pub(super) async fn change(
    State(backend): Shared,
    Path(login): Path<String>,
    Json(change): Json<wire::ChoiceChange>,
) -> Result<StatusCode, ApiError> {
    if let Some(password) = &change.password {
        accounts::prove(&backend, &login, password.as_bytes()).await?;
    }
    let others = change.accept_only.map(|only| match only {
        wire::OnOff::On => Others::NotTaken,
        wire::OnOff::Off => Others::Taken,
    });
    let wire::ChoiceChange { accept, refuse, remove, .. } = change;
    let change = directory::ChoiceChange { accept, refuse, remove, others };
    backend.directory.change_choices(&login, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}
