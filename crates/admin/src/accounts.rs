//! `/v1/accounts` and `/v1/devices`.

use super::{ApiError, Backend, Server, Shared, change, wire};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use directory::{
    Account, AuthOutcome, Device, DeviceLimits, DirectoryError, KnownLogin, NewPassword, PasswordKind, RecipientScope,
};
use sasl::guess_hash;
use serde::Deserialize;
use state::{Admission, Attempt, TriedLogin};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::info;

/// Which accounts.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OfDomain {
    /// Only those of this domain.
    domain: Option<String>,
}

/// Every account.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", params(OfDomain), responses(
    (status = 200, body = [wire::Account]),
))]
pub(super) async fn list(
    State(backend): Shared,
    Query(of): Query<OfDomain>,
) -> Result<Json<Vec<wire::Account>>, ApiError> {
    let accounts = backend.directory.accounts(of.domain.as_deref()).await?;
    Ok(Json(accounts.into_iter().map(|it| account(it, Vec::new())).collect()))
}

/// Makes an account.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = wire::NewAccount, responses(
    (status = 201, body = wire::Account),
    (status = 400, body = wire::Problem), (status = 404, body = wire::Problem), (status = 409, body = wire::Problem),
))]
pub(super) async fn add(
    State(backend): Shared,
    Json(new): Json<wire::NewAccount>,
) -> Result<(StatusCode, Json<wire::Account>), ApiError> {
    let directory = &backend.directory;
    if new.new_domain
        && let Some((_, domain)) = new.login.rsplit_once('@')
    {
        match directory.add_domain(domain).await {
            Ok(()) | Err(DirectoryError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let made = directory.create_account(directory::NewAccount {
        login: new.login,
        password: match (new.password, new.hash) {
            (Some(password), None) => NewPassword::Clear(password.into()),
            (None, Some(hash)) => NewPassword::Hash(hash),
            (None, None) => NewPassword::None,
            (Some(_), Some(_)) => return Err(ApiError::invalid("both a password and a hash".to_owned())),
        },
        quota_octets: new.quota_octets,
        passwords: if new.apop_only { PasswordKind::ApopOnly } else { PasswordKind::Any },
        expires_at: None,
        name: new.name,
    });
    Ok((StatusCode::CREATED, Json(account(made.await?, Vec::new()))))
}

/// One account, with its addresses.
#[utoipa::path(get, path = "/v1/accounts/{login}", tag = "accounts", params(("login" = String, Path)), responses(
    (status = 200, body = wire::Account), (status = 404, body = wire::Problem),
))]
pub(super) async fn show(State(backend): Shared, Path(login): Path<String>) -> Result<Json<wire::Account>, ApiError> {
    let found = backend.directory.account(&login).await?;
    let addresses = backend.directory.addresses(&login).await?;
    let over = backend.directory.aliases_over(&login).await?;
    let over = over.into_iter().map(|it| wire::Alias { address: it.address, targets: it.targets });
    Ok(Json(wire::Account { aliases: over.collect(), ..account(found, addresses) }))
}

/// Deletes an account with its addresses and devices. Its mailbox stays.
#[utoipa::path(delete, path = "/v1/accounts/{login}", tag = "accounts", params(("login" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
    (status = 409, description = "An alias or a catch-all leads to nobody without it.", body = wire::Problem),
))]
pub(super) async fn delete(State(backend): Shared, Path(login): Path<String>) -> Result<StatusCode, ApiError> {
    backend.directory.delete_account(&login).await?;
    cut_off(&backend, &login).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes what an operator says of an account: all of it or nothing. An account that has expired by it is refused at once.
#[utoipa::path(
    patch, path = "/v1/accounts/{login}", tag = "accounts", params(("login" = String, Path)),
    request_body = wire::AccountChange,
    responses((status = 204), (status = 400, body = wire::Problem), (status = 404, body = wire::Problem))
)]
pub(super) async fn set(
    State(backend): Shared,
    Path(login): Path<String>,
    Json(wanted): Json<wire::AccountChange>,
) -> Result<StatusCode, ApiError> {
    let changes = change::changes(&wanted)?;
    if changes.is_empty() {
        return Err(ApiError::invalid("nothing to change: name a quota, an expiry or a name".to_owned()));
    }
    backend.directory.change_account_in(&login, &changes).await?;
    if change::ends_rights(&changes) {
        cut_off(&backend, &login).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Sets the main password; with the old one, only if that is right.
#[utoipa::path(
    put, path = "/v1/accounts/{login}/password", tag = "accounts", params(("login" = String, Path)),
    request_body = wire::NewPassword,
    responses((status = 204), (status = 403, body = wire::Problem), (status = 404, body = wire::Problem),
        (status = 503, description = "Too many wrong old passwords lately.", body = wire::Problem))
)]
pub(super) async fn password(
    State(backend): Shared,
    Path(login): Path<String>,
    Json(new): Json<wire::NewPassword>,
) -> Result<StatusCode, ApiError> {
    let directory = &backend.directory;
    match (new.password, new.hash, new.old) {
        (Some(password), None, Some(old)) => {
            let change = PasswordChange { old: old.as_bytes(), new: password.as_bytes() };
            change_password(&backend, &login, &change).await?;
        }
        (Some(password), None, None) => directory.set_password(&login, password.as_bytes()).await?,
        (None, Some(hash), None) => directory.set_hash(&login, &hash).await?,
        _ => return Err(ApiError::invalid("a password (and the old one), or a hash".to_owned())),
    }
    // A new password is often the answer to a stolen one.
    cut_off(&backend, &login).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The old password, and the one in its place.
struct PasswordChange<'a> {
    old: &'a [u8],
    new: &'a [u8],
}

/// A user's own change. Wrong old passwords count and are throttled like those of any login, as if from loopback; without
/// a running server only somebody who can write the accounts' file gets here.
async fn change_password(backend: &Backend, login: &str, change: &PasswordChange<'_>) -> Result<(), ApiError> {
    let PasswordChange { old, new } = *change;
    throttled(
        backend,
        Guess { login, password: old, way: "passwd" },
        backend.directory.change_password(login, old, new),
    )
    .await
}

/// A user's own change of something else: the account's password must be right, under the same throttle.
pub(super) async fn prove(backend: &Backend, login: &str, password: &[u8]) -> Result<(), ApiError> {
    let proved = async {
        match backend.directory.authenticate(login, password, IpAddr::V4(Ipv4Addr::LOCALHOST)).await? {
            // A device's secret does not do.
            AuthOutcome::Account(identity) if identity.device.is_none() => Ok(()),
            _ => Err(DirectoryError::WrongPassword),
        }
    };
    throttled(backend, Guess { login, password, way: "choices" }, proved).await
}

/// A password that may be wrong, and for what it is given.
struct Guess<'a> {
    login: &'a str,
    password: &'a [u8],
    way: &'static str,
}

/// What a password opens, once there is a place for it to be looked at. Only a wrong one counts.
async fn throttled(
    backend: &Backend,
    guess: Guess<'_>,
    opened: impl Future<Output = Result<(), DirectoryError>>,
) -> Result<(), ApiError> {
    let Guess { login, password, way } = guess;
    let tried = backend.directory.tried_login(login);
    let attempt = match &backend.server {
        Some(server) => Some(admitted(server, &tried, password).await?),
        None => None,
    };
    let done = opened.await;
    if let Some(attempt) = attempt {
        if matches!(done, Err(DirectoryError::WrongPassword)) {
            attempt.failed();
            info!(login = ?login, way, why = "wrong password", "login failed");
        } else {
            attempt.give_back();
        }
    }
    Ok(done?)
}

/// A place for the old password to be looked at.
async fn admitted(server: &Server, login: &KnownLogin, old: &[u8]) -> Result<Attempt, ApiError> {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let guess = guess_hash(&server.guess_key, login, old);
    match server.state.attempt(&TriedLogin { addr: here, login, guess }).await? {
        Admission::Admitted(attempt) => {
            tokio::time::sleep(attempt.wait()).await;
            Ok(attempt)
        }
        Admission::Locked(wait) => Err(ApiError::throttled(wait)),
    }
}

/// Refuses every login of an account and its devices. Its mail still comes in.
#[utoipa::path(post, path = "/v1/accounts/{login}/lock", tag = "accounts", params(("login" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
))]
pub(super) async fn lock(State(backend): Shared, Path(login): Path<String>) -> Result<StatusCode, ApiError> {
    backend.directory.lock(&login).await?;
    cut_off(&backend, &login).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends what the account's earlier POP logins allow.
pub(super) async fn cut_off(backend: &Backend, login: &str) -> Result<(), ApiError> {
    if let Some(server) = &backend.server {
        let login = backend.directory.known_login(login)?;
        server.state.revoke(state::Revoke::Login(login.into())).await?;
    }
    Ok(())
}

/// Lets an account log in again.
#[utoipa::path(delete, path = "/v1/accounts/{login}/lock", tag = "accounts", params(("login" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
))]
pub(super) async fn unlock(State(backend): Shared, Path(login): Path<String>) -> Result<StatusCode, ApiError> {
    backend.directory.unlock(&login).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The devices of an account; `-` is of all.
#[utoipa::path(get, path = "/v1/accounts/{login}/devices", tag = "accounts", params(("login" = String, Path)), responses(
    (status = 200, body = [wire::Device]), (status = 404, body = wire::Problem),
))]
pub(super) async fn devices(
    State(backend): Shared,
    Path(login): Path<String>,
) -> Result<Json<Vec<wire::Device>>, ApiError> {
    let of = if login == "-" { None } else { Some(backend.directory.account(&login).await?.login) };
    let devices = backend.directory.devices(of.as_deref()).await?;
    let mut last_uses = backend.directory.last_uses(of.as_deref()).await?;
    let used = |it: Device| {
        let last = last_uses.remove(it.login.as_str());
        wire::Device {
            last_used_at: last.as_ref().map(|last| wire::time(last.at)),
            last_used_from: last.map(|last| last.from.to_string()),
            ..device(it)
        }
    };
    Ok(Json(devices.into_iter().map(used).collect()))
}

/// Makes a device and shows its secret, the only time.
#[utoipa::path(
    post, path = "/v1/accounts/{login}/devices", tag = "accounts", params(("login" = String, Path)),
    request_body = wire::NewDevice,
    responses((status = 201, body = wire::MadeDevice), (status = 400, body = wire::Problem),
        (status = 404, body = wire::Problem), (status = 409, body = wire::Problem))
)]
pub(super) async fn add_device(
    State(backend): Shared,
    Path(login): Path<String>,
    Json(new): Json<wire::NewDevice>,
) -> Result<(StatusCode, Json<wire::MadeDevice>), ApiError> {
    let scope = match &new.recipients {
        None => RecipientScope::default(),
        Some(text) => RecipientScope::parse(text)
            .ok_or_else(|| ApiError::invalid(format!("{text:?} is neither own-domains nor anywhere")))?,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let limits = DeviceLimits {
        networks: Vec::new(),
        messages_per_hour: new.messages_per_hour,
        recipients: scope,
        expires_at: new.days.map(|days| now + u64::from(days) * 86_400),
    };
    let limits = limits.with_networks(&new.networks)?;
    let (made, secret) = backend.directory.add_device(&login, &new.name, limits).await?;
    Ok((StatusCode::CREATED, Json(wire::MadeDevice { device: device(made), secret: secret.expose().to_owned() })))
}

/// Cuts a device off, at once and for good.
#[utoipa::path(delete, path = "/v1/devices/{login}", tag = "accounts", params(("login" = String, Path)), responses(
    (status = 204), (status = 404, body = wire::Problem),
))]
pub(super) async fn revoke_device(State(backend): Shared, Path(login): Path<String>) -> Result<StatusCode, ApiError> {
    let account = backend.directory.revoke_device(&login).await?;
    cut_off(&backend, &account).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn account(account: Account, addresses: Vec<String>) -> wire::Account {
    wire::Account {
        login: account.login,
        maildir: account.maildir,
        quota_octets: account.quota_octets,
        apop_only: account.passwords == PasswordKind::ApopOnly,
        locked: account.locked,
        expires_at: account.expires_at.map(wire::time),
        name: account.name,
        created_at: wire::time(account.created_at),
        scheme: account.scheme,
        devices: account.devices,
        addresses,
        aliases: Vec::new(),
    }
}

pub(super) fn device(device: Device) -> wire::Device {
    wire::Device {
        account: device.account,
        name: device.name,
        login: device.login,
        networks: device.limits.networks.iter().map(ToString::to_string).collect(),
        messages_per_hour: device.limits.messages_per_hour,
        recipients: device.limits.recipients.as_str().to_owned(),
        expires_at: device.limits.expires_at.map(wire::time),
        revoked_at: device.revoked_at.map(wire::time),
        last_used_at: None,
        last_used_from: None,
        created_at: wire::time(device.created_at),
    }
}
