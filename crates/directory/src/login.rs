//! From a login to an account: by password, or by a secret for a challenge. Whatever is wrong with a login, the work done
//! and the answer to the peer are the same; [`Why`] is for the log.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time;
use sasl::{SecretBytes, SecretKind, StoredSecret, prepare, scram};

use crate::Directory;
use crate::cache::Cache;
use crate::error::DirectoryError;
use crate::listed::Device;
use crate::password::Asked;
use crate::store::{DeviceRow, LoginRow};
use crate::turns::Client;

const KNOWN_MAX: usize = 32_768;
const UNKNOWN_MAX: usize = 8_192;

type Result<T> = std::result::Result<T, DirectoryError>;

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account's login, also when a device logged in.
    pub login: Arc<str>,
    /// Where its mail lies, relative to the mail directory.
    pub maildir: Arc<str>,
    /// Octets that the mailbox may hold; `None`: no bound.
    pub quota_octets: Option<u64>,
    /// The device with its limits, if its secret was used.
    pub device: Option<Arc<Device>>,
    /// What it was proved by.
    pub credential: Credential,
}

/// By which account and which password, or which device's secret, somebody proved who he is: other ones, if the account was
/// made anew or its password changed since. A password under a better hash is the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    account: i64,
    password_version: Option<i64>,
    /// Of a device, the nonce that its secret is sealed with: no two secrets have the same.
    device: Option<[u8; 8]>,
}

/// What became of a login by password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthOutcome {
    /// It is this account's.
    Account(Identity),
    /// It is nobody's.
    Denied(Why),
}

/// What there is for a challenge to a login.
#[derive(Debug, Clone)]
pub enum SecretsOutcome {
    /// Whoever knows one of the secrets is this.
    Found {
        /// To be believed only after the exchange.
        identity: Identity,
        /// What the mechanism reckons with.
        secrets: Vec<StoredSecret>,
    },
    /// There is none; the exchange must go on as if there were, and fail.
    Denied(Why),
}

/// What a stored secret is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretUse {
    /// A device's secret.
    CramMd5,
    /// A device's secret.
    Apop,
    /// The keys of a main password or of a device's secret.
    ScramSha256,
}

impl From<SecretKind> for SecretUse {
    fn from(kind: SecretKind) -> Self {
        match kind {
            SecretKind::CramMd5 => Self::CramMd5,
            SecretKind::ScramSha256 => Self::ScramSha256,
        }
    }
}

/// Why a login was denied. For the log; the peer is told only that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// No account and no device has this login.
    #[error("unknown login")]
    UnknownLogin,
    /// The password is another one.
    #[error("wrong password")]
    WrongPassword,
    /// The password is empty or could be nobody's; it is not even looked up.
    #[error("unfit password")]
    UnfitPassword,
    /// The account has no main password, or no secret of the kind that was asked for.
    #[error("no secret of this kind")]
    NoSecret,
    /// The account is locked.
    #[error("account is locked")]
    Locked,
    /// The account or the device has expired.
    #[error("expired")]
    Expired,
    /// The account takes APOP and CRAM-MD5 only.
    #[error("account takes no passwords, only APOP and CRAM-MD5")]
    ApopOnly,
    /// The device is cut off.
    #[error("device is revoked")]
    Revoked,
    /// The password was changed, or the account made anew, since this was proved.
    #[error("password changed since")]
    Replaced,
    /// The device may not log in from there.
    #[error("device may not log in from this address")]
    OutsideNetworks,
}

impl Why {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownLogin => "unknown-login",
            Self::WrongPassword => "wrong-password",
            Self::UnfitPassword => "unfit-password",
            Self::NoSecret => "no-secret",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::ApopOnly => "apop-only",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::OutsideNetworks => "outside-networks",
        }
    }
}

/// Up to where changes were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RightsMark(i64);

/// Logins of which rights have ended.
#[derive(Debug)]
pub struct EndedRights {
    /// Each once, in its full form.
    pub logins: Vec<String>,
    /// For the next question.
    pub mark: RightsMark,
}

/// What is remembered of logins: rows, not passwords.
pub(crate) struct Logins {
    known: Cache<String, Known>,
    unknown: Cache<String, u64>,
}

/// A row, and the stamp by which it is seen to be still true.
#[derive(Clone)]
struct Known {
    stamp: u64,
    row: Arc<LoginRow>,
}

impl Logins {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(KNOWN_MAX), unknown: Cache::new(UNKNOWN_MAX) }
    }
}

impl Directory {
    /// Whose login and password this is. The caller throttles and counts failures, and says whether the client is known; this
    /// only takes the same time for each.
    pub async fn authenticate(&self, login: &str, password: &[u8], client: impl Into<Client>) -> Result<AuthOutcome> {
        let row = match self.check(login, password, client.into()).await? {
            Ok(row) => row,
            Err(why) => return Ok(AuthOutcome::Denied(why)),
        };
        if row.device.is_none() {
            self.upgrade(&row, password).await;
        }
        Ok(AuthOutcome::Account(identity(&row)))
    }

    /// The secret for a challenge-response login. A device's own login gives its secret; an account's login gives the SCRAM
    /// keys of its main password and nothing for CRAM-MD5 and APOP.
    pub async fn secrets_for(&self, login: &str, wanted: SecretUse, client_ip: IpAddr) -> Result<SecretsOutcome> {
        let Some(row) = self.row(login).await? else { return Ok(SecretsOutcome::Denied(Why::UnknownLogin)) };
        if let Err(why) = may_log_in(&row, client_ip) {
            return Ok(SecretsOutcome::Denied(why));
        }
        if row.apop_only && wanted == SecretUse::ScramSha256 {
            return Ok(SecretsOutcome::Denied(Why::ApopOnly));
        }
        let secret = match (&row.device, wanted) {
            (Some(device), SecretUse::ScramSha256) => scram::Keys::parse(&device.scram).map(StoredSecret::ScramSha256),
            (Some(device), SecretUse::CramMd5 | SecretUse::Apop) => {
                Some(StoredSecret::Clear(self.device_secret(device)?))
            }
            (None, SecretUse::ScramSha256) => {
                row.scram.as_deref().and_then(scram::Keys::parse).map(StoredSecret::ScramSha256)
            }
            (None, SecretUse::CramMd5 | SecretUse::Apop) => None,
        };
        Ok(match secret {
            Some(secret) => SecretsOutcome::Found { identity: identity(&row), secrets: vec![secret] },
            None => SecretsOutcome::Denied(Why::NoSecret),
        })
    }

    /// Whose login this is, for a caller that had the password checked by somebody else; looks at no secret.
    pub async fn identity(&self, login: &str, client_ip: IpAddr) -> Result<std::result::Result<Identity, Why>> {
        let Some(row) = self.row(login).await? else { return Ok(Err(Why::UnknownLogin)) };
        Ok(may_log_in(&row, client_ip).map(|()| identity(&row)))
    }

    /// Whether somebody who proved himself earlier may still: the same account with the same password, or the same device,
    /// and nothing against it now. What it may do now comes with the answer. From memory, unless this very login changed.
    pub async fn still(&self, proved: &Identity, client_ip: IpAddr) -> Result<std::result::Result<Identity, Why>> {
        let login = proved.device.as_ref().map_or(&*proved.login, |device| &*device.login);
        let Some(row) = self.row(login).await? else { return Ok(Err(Why::UnknownLogin)) };
        if let Err(why) = may_log_in(&row, client_ip) {
            return Ok(Err(why));
        }
        let now = identity(&row);
        if now.credential != proved.credential {
            return Ok(Err(Why::Replaced));
        }
        Ok(if row.apop_only && row.device.is_none() { Err(Why::ApopOnly) } else { Ok(now) })
    }

    /// Hears whenever anything of any login changes.
    pub fn login_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// A mark behind all changes of logins that there were.
    pub async fn rights_mark(&self) -> Result<RightsMark> {
        self.store.newest_change().await.map(RightsMark)
    }

    /// The logins of which rights have ended after a mark, and the mark for the next question. An account or device was
    /// made, deleted, locked, cut off, or got another password.
    pub async fn ended_rights(&self, after: RightsMark) -> Result<EndedRights> {
        let (revision, logins) = self.store.ended_rights(after.0).await?;
        Ok(EndedRights { logins, mark: RightsMark(revision) })
    }

    /// Whether a login, an account's or a device's, has expired by the clock. One that is not there has not.
    pub async fn has_expired(&self, login: &str) -> Result<bool> {
        Ok(self.row(login).await?.is_some_and(|row| has_expired(&row)))
    }

    /// When rights of a login ended last, if they did within three months.
    pub async fn rights_ended_at(&self, login: &str) -> Result<Option<SystemTime>> {
        let Some(login) = self.settings.load().login(login) else { return Ok(None) };
        let millis = self.store.rights_ended_at(&login).await?;
        let since_1970 = millis.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        Ok(since_1970.and_then(|since| UNIX_EPOCH.checked_add(since)))
    }

    /// Where an account's mail lies, relative to the mail directory, and the octets that it may hold; `None`: no such
    /// account. Answered from memory on the way of a mail.
    pub async fn mailbox(&self, login: &str) -> Result<Option<(Arc<str>, Option<u64>)>> {
        let row = self.row(login).await?.filter(|row| row.device.is_none());
        Ok(row.map(|row| (Arc::clone(&row.maildir), row.quota_octets)))
    }

    /// The row behind a right password, or why there is none. The password is checked before anything else is told, so
    /// that a locked account takes the time of any other.
    pub(crate) async fn check(
        &self,
        login: &str,
        password: &[u8],
        client: Client,
    ) -> Result<std::result::Result<Arc<LoginRow>, Why>> {
        if prepare::password(password).is_err() {
            return Ok(Err(Why::UnfitPassword));
        }
        let Some(row) = self.row(login).await? else {
            let tried = self.tried_login(login);
            self.hasher.fits(&Asked { login: &tried, stored: None, password }, client).await?;
            return Ok(Err(Why::UnknownLogin));
        };
        if !self.password_fits(&row, password, client).await? {
            let has_secret = row.device.is_some() || row.hash.is_some();
            return Ok(Err(if has_secret { Why::WrongPassword } else { Why::NoSecret }));
        }
        if let Err(why) = may_log_in(&row, client.ip()) {
            return Ok(Err(why));
        }
        Ok(if row.apop_only { Err(Why::ApopOnly) } else { Ok(row) })
    }

    async fn password_fits(&self, row: &LoginRow, password: &[u8], client: Client) -> Result<bool> {
        let Some(device) = &row.device else {
            let asked = Asked { login: &row.login, stored: row.hash.as_deref(), password };
            return self.hasher.fits(&asked, client).await;
        };
        let secret = self.device_secret(device)?;
        if constant_time::verify_slices_are_equal(secret.expose(), password).is_ok() {
            return Ok(true);
        }
        // A wrong guess takes as long as at an account, so that logins of devices are not told apart.
        self.hasher.fits(&Asked { login: &device.device.login, stored: None, password }, client).await
    }

    fn device_secret(&self, row: &DeviceRow) -> Result<SecretBytes> {
        let secret = self.sealer.open(&row.device.login, &row.sealed_secret);
        let secret = secret.filter(|secret| !secret.is_empty());
        let secret = secret
            .ok_or_else(|| DirectoryError::unavailable("opening a device secret", "damaged or sealed elsewhere"))?;
        Ok(SecretBytes::from(secret.as_slice()))
    }

    /// Makes a dated hash, or missing SCRAM keys, anew while the password is at hand. The login does not depend on it.
    async fn upgrade(&self, row: &LoginRow, password: &[u8]) {
        let Some(old) = row.hash.as_deref().filter(|hash| row.scram.is_none() || self.hasher.is_dated(hash)) else {
            return;
        };
        let done = match self.hasher.make(&row.login, password).await {
            Ok(secrets) => self.store.rehash(&row.login, old, &secrets).await,
            Err(error) => Err(error),
        };
        self.generations.login_changed(&row.login);
        if let Err(error) = done {
            tracing::warn!(login = %row.login, %error, "rehash failed");
        }
    }

    async fn row(&self, written: &str) -> Result<Option<Arc<LoginRow>>> {
        let Some(login) = self.settings.load().login(written) else { return Ok(None) };
        // What another process locked meanwhile would go unseen.
        if !self.generations.is_blind() {
            if let Some(known) = self.logins.known.find(&login)
                && known.stamp == self.stamp(&login, Some(&known.row))
            {
                return Ok(Some(known.row));
            }
            if self.logins.unknown.find(&login) == Some(self.stamp(&login, None)) {
                return Ok(None);
            }
        }
        let before = self.generations.any_login();
        let row = Box::pin(self.store.login(&login)).await?.map(Arc::new);
        let stamp = self.stamp(&login, row.as_deref());
        // Something changed while it was read: whether it was this is not known, so it is not remembered.
        if self.generations.any_login() != before {
            return Ok(row);
        }
        match &row {
            Some(row) => self.logins.known.insert(login, Known { stamp, row: Arc::clone(row) }),
            None => self.logins.unknown.insert(login, stamp),
        }
        Ok(row)
    }

    /// Whether what is known under a login is still true: it changes with that login and with its account.
    fn stamp(&self, login: &str, row: Option<&LoginRow>) -> u64 {
        let of_account = row.filter(|row| *row.login != *login).map_or(0, |row| self.generations.login(&row.login));
        self.generations.login(login).wrapping_add(of_account)
    }
}

fn identity(row: &LoginRow) -> Identity {
    Identity {
        login: Arc::clone(&row.login),
        maildir: Arc::clone(&row.maildir),
        quota_octets: row.quota_octets,
        device: row.device.as_ref().map(|device| Arc::new(device.device.clone())),
        credential: Credential {
            account: row.account_id,
            // A device has a secret of its own, which the account's password says nothing about.
            password_version: row.device.is_none().then_some(row.password_version),
            device: row.device.as_ref().map(|device| device.sealed_secret.first_chunk().copied().unwrap_or_default()),
        },
    }
}

fn is_over(expires_at: Option<u64>) -> bool {
    expires_at.is_some_and(|expires_at| expires_at <= crate::unix_secs())
}

fn has_expired(row: &LoginRow) -> bool {
    is_over(row.expires_at) || row.device.as_ref().is_some_and(|it| is_over(it.device.limits.expires_at))
}

fn may_log_in(row: &LoginRow, client_ip: IpAddr) -> std::result::Result<(), Why> {
    if row.locked {
        return Err(Why::Locked);
    }
    if is_over(row.expires_at) {
        return Err(Why::Expired);
    }
    let Some(DeviceRow { device, .. }) = &row.device else { return Ok(()) };
    if device.revoked_at.is_some() {
        return Err(Why::Revoked);
    }
    if is_over(device.limits.expires_at) {
        return Err(Why::Expired);
    }
    if device.limits.allows(client_ip) { Ok(()) } else { Err(Why::OutsideNetworks) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, DeviceLimits, NewAccount, NewPassword, ServerKey, Settings};

    #[tokio::test]
    async fn a_login_checked_elsewhere_is_known_unless_it_may_not_log_in() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { default_domain: "example.test".to_owned(), ..Settings::default() };
        let path = dir.path().join("directory.sqlite");
        let directory = Directory::open(&path, &ServerKey::from_bytes([7; 32]), settings).await.unwrap();
        directory.add_domain("example.test").await.unwrap();
        for login in ["alice", "locked"] {
            let new = NewAccount { login: login.to_owned(), ..NewAccount::default() };
            directory.create_account(new).await.unwrap();
        }
        directory.change_account("locked", Change::Lock).await.unwrap();
        let limits = DeviceLimits::default().with_networks(&["192.0.2.0/28"]).unwrap();
        let (device, _) = directory.add_device("alice", "plc", limits).await.unwrap();
        let table = [
            ("alice", 1, Ok((false, "alice@example.test"))),
            ("Alice@Example.Test", 1, Ok((false, "alice@example.test"))),
            (device.login.as_str(), 1, Ok((true, "alice@example.test"))),
            (device.login.as_str(), 77, Err(Why::OutsideNetworks)),
            ("locked", 1, Err(Why::Locked)),
            ("nobody", 1, Err(Why::UnknownLogin)),
            ("", 1, Err(Why::UnknownLogin)),
        ];
        for (login, last, expected) in table {
            let found = directory.identity(login, [192, 0, 2, last].into()).await.unwrap();
            let found = found.as_ref().map(|it| (it.device.is_some(), &*it.login)).map_err(|why| *why);
            assert_eq!(found, expected, "{login}");
        }
    }

    /// Time is not measured here; that each failure did the same work once is what can be told for sure.
    #[tokio::test]
    async fn every_failure_costs_one_check() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { default_domain: "example.test".to_owned(), ..Settings::default() };
        let path = dir.path().join("directory.sqlite");
        let directory = Directory::open(&path, &ServerKey::from_bytes([7; 32]), settings).await.unwrap();
        directory.add_domain("example.test").await.unwrap();
        let new = |login: &str, password| NewAccount { login: login.to_owned(), password, ..NewAccount::default() };
        for login in ["alice", "locked"] {
            directory.create_account(new(login, NewPassword::Clear("secret".into()))).await.unwrap();
        }
        directory.create_account(new("hollow", NewPassword::None)).await.unwrap();
        directory.change_account("locked", Change::Lock).await.unwrap();
        let (device, _) = directory.add_device("alice", "plc", DeviceLimits::default()).await.unwrap();
        let client = IpAddr::from([192, 0, 2, 1]);
        let logins = ["alice", "locked", "hollow", device.login.as_str(), "nobody", "nobody2", "a@else.test", "a\0b"];
        for (count, login) in logins.into_iter().enumerate() {
            let before = directory.hasher.wrong_checks();
            assert_eq!(before, count);
            // The second time it is remembered, for each of them.
            for _ in 0..2 {
                let outcome = directory.authenticate(login, b"wrong", client).await.unwrap();
                assert!(matches!(outcome, AuthOutcome::Denied(_)), "{login}");
                assert_eq!(directory.hasher.wrong_checks(), before + 1, "{login}");
            }
        }
    }
}
