//! `/v1/roll`: tables of accounts and aliases, all rows or none.

use axum::{Json, extract::State};
use directory::{DirectoryError, RollTerms, Rolled};

use super::change::{changes, ends_rights};
use super::{ApiError, Shared, accounts, wire};

/// Makes accounts and changes those that are there, as a table says. Nothing is done if a row is wrong.
#[utoipa::path(post, path = "/v1/roll/accounts", tag = "accounts", request_body = wire::AccountRoll, responses(
    (status = 200, body = wire::RolledCount),
    (status = 400, description = "Rows are wrong; each is named.", body = wire::Problem),
))]
pub(super) async fn accounts(
    State(backend): Shared,
    Json(roll): Json<wire::AccountRoll>,
) -> Result<Json<wire::RolledCount>, ApiError> {
    let wire::AccountRoll { rows, new_domains, dry_run } = roll;
    let (mut meant, mut mistakes) = (Vec::with_capacity(rows.len()), Vec::new());
    for (at, row) in (0_u64..).zip(rows) {
        match changes(&row.change) {
            Ok(changes) => meant.push(directory::AccountRoll { login: row.login, changes, hash: row.hash }),
            Err(error) => mistakes.push(wire::RowMistake { row: at, error: wire::Problem::from(error).error }),
        }
    }
    if !mistakes.is_empty() {
        return Err(ApiError::rows(mistakes));
    }
    let ended: Vec<String> =
        meant.iter().filter(|row| ends_rights(&row.changes)).map(|row| row.login.clone()).collect();
    let done = backend.directory.roll_accounts(meant, RollTerms { new_domains, dry_run }).await?;
    let count = counted(done)?;
    if !dry_run {
        for login in ended {
            accounts::cut_off(&backend, &login).await?;
        }
    }
    Ok(Json(count))
}

/// Gives aliases targets, as a table says. Nothing is done if a row is wrong.
#[utoipa::path(post, path = "/v1/roll/aliases", tag = "names", request_body = wire::AliasRoll, responses(
    (status = 200, body = wire::RolledCount),
    (status = 400, description = "Rows are wrong; each is named.", body = wire::Problem),
))]
pub(super) async fn aliases(
    State(backend): Shared,
    Json(roll): Json<wire::AliasRoll>,
) -> Result<Json<wire::RolledCount>, ApiError> {
    let wire::AliasRoll { rows, new_domains, dry_run } = roll;
    let rows = rows.into_iter().map(|row| (row.address, row.target)).collect();
    let done = backend.directory.roll_aliases(rows, RollTerms { new_domains, dry_run }).await?;
    counted(done).map(Json)
}

/// The hashes of main passwords, for a copy of the accounts. That they were asked for is recorded.
#[utoipa::path(post, path = "/v1/roll/hashes", tag = "accounts", responses((status = 200, body = [wire::Hash])))]
pub(super) async fn hashes(State(backend): Shared) -> Result<Json<Vec<wire::Hash>>, ApiError> {
    let hashes = backend.directory.hashes().await?;
    Ok(Json(hashes.into_iter().map(|(login, hash)| wire::Hash { login, hash }).collect()))
}

fn counted(rows: Vec<Result<Rolled, DirectoryError>>) -> Result<wire::RolledCount, ApiError> {
    let (mut count, mut mistakes) = (wire::RolledCount::default(), Vec::new());
    for (at, row) in (0_u64..).zip(rows) {
        match row {
            Ok(Rolled::Made) => count.made += 1,
            Ok(Rolled::Changed) => count.changed += 1,
            Ok(Rolled::Same) => count.same += 1,
            Err(error) => mistakes.push(wire::RowMistake { row: at, error: error.to_string() }),
        }
    }
    if mistakes.is_empty() { Ok(count) } else { Err(ApiError::rows(mistakes)) }
}
