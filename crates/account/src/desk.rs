//! Answering one question.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use directory::{DirectoryError, Identity};
use judge::Sources;
use judge::auth::{Origin, Outcome};
use tracing::{info, warn};

use crate::wire::{Account, Answer, Device, Kind, Proof, Question, Refusal, Wish};

/// How such a login is named in the log, and its listener.
const WAY: &str = "account";

type Result<T> = std::result::Result<T, Refusal>;

/// What questions are answered with.
pub struct Desk {
    /// The accounts, the throttle, the log of logins.
    pub sources: Arc<Sources>,
    /// `[account]` as it is now: whose login a user of this machine has.
    pub settings: Box<dyn Fn() -> config::Account + Send + Sync>,
}

/// Who asks, proved.
struct Asker {
    login: String,
    /// Which main password proved it; `None`: the user of this machine did.
    password: Option<String>,
}

impl Desk {
    pub(crate) async fn answer(&self, question: Question, uid: u32) -> Answer {
        let Question { proof, wish } = question;
        if matches!(wish, Wish::Who) {
            return Answer::Login(self.mapped(uid));
        }
        let done = match self.asker(proof, uid).await {
            Ok(asker) => self.granted(&asker, wish, uid).await,
            Err(refusal) => Err(refusal),
        };
        done.unwrap_or_else(Answer::Refused)
    }

    fn mapped(&self, uid: u32) -> Option<String> {
        (self.settings)().login_of(uid).map(str::to_owned)
    }

    async fn asker(&self, proof: Option<Proof>, uid: u32) -> Result<Asker> {
        if let Some(proof) = proof {
            return self.by_password(proof, uid).await;
        }
        let wanted =
            || Refusal::new(Kind::PasswordWanted, "your user on this machine has no account: tell login and password");
        let login = self.mapped(uid).ok_or_else(wanted)?;
        match self.sources.directory.identity(&login, from(uid)).await.map_err(|error| refused(&error))? {
            Ok(Identity { login, device: None, .. }) => Ok(Asker { login: login.to_string(), password: None }),
            Ok(_) => {
                Err(Refusal::new(Kind::Denied, format!("{login} is a device: an account is wanted in account.users")))
            }
            Err(why) => Err(Refusal::new(Kind::Denied, format!("{login}: {why}"))),
        }
    }

    /// A login as any other: throttled, counted, logged.
    async fn by_password(&self, proof: Proof, uid: u32) -> Result<Asker> {
        let Proof { login, password } = proof;
        let session = self.sources.sessions.next();
        let origin = Origin { sources: Arc::clone(&self.sources), session, listener: WAY.into(), ip: from(uid) };
        match origin.by_password(&login, password.as_bytes(), WAY).await {
            Outcome::Proved(proved, _) if proved.identity.device.is_none() => {
                Ok(Asker { login: proved.login, password: Some(password) })
            }
            Outcome::Proved(..) => {
                Err(Refusal::new(Kind::Denied, "this is a device's secret: the account's password is wanted"))
            }
            Outcome::Throttled(_) => {
                Err(Refusal::new(Kind::Temporary, "too many wrong passwords lately: try again later"))
            }
            Outcome::Unavailable => {
                Err(Refusal::new(Kind::Temporary, "the accounts cannot be asked now: try again later"))
            }
            Outcome::Denied(_) | Outcome::Malformed | Outcome::Challenge(_) => {
                Err(Refusal::new(Kind::Denied, "wrong login or password"))
            }
        }
    }

    async fn granted(&self, asker: &Asker, wish: Wish, uid: u32) -> Result<Answer> {
        match wish {
            Wish::Who | Wish::Show => self.shown(asker).await,
            Wish::Password { new } => {
                self.new_password(asker, new.as_bytes()).await.map_err(|error| refused(&error))?;
                self.changed(asker, uid, "password").await
            }
            Wish::Revoke { device } => {
                self.revoked(asker, &device).await?;
                self.changed(asker, uid, "device").await
            }
        }
    }

    async fn new_password(&self, asker: &Asker, new: &[u8]) -> std::result::Result<(), DirectoryError> {
        let directory = &self.sources.directory;
        match &asker.password {
            // Against the old one once more: the operator may have set another one meanwhile.
            Some(old) => directory.change_password(&asker.login, old.as_bytes(), new).await,
            None => directory.set_password(&asker.login, new).await,
        }
    }

    /// A device of the asker's account, and of no other.
    async fn revoked(&self, asker: &Asker, named: &str) -> Result<()> {
        let directory = &self.sources.directory;
        let devices = directory.devices(Some(&asker.login)).await.map_err(|error| refused(&error))?;
        let full = directory.tried_login(named);
        let mut there = devices.into_iter().filter(|device| device.revoked_at.is_none());
        let device = there.find(|device| device.login == *full || device.name.eq_ignore_ascii_case(named));
        let unknown = || Refusal::new(Kind::NotFound, format!("your account has no device {named:?}"));
        let device = device.ok_or_else(unknown)?;
        directory.revoke_device(&device.login).await.map(drop).map_err(|error| refused(&error))
    }

    /// What earlier logins allow ends, as after a change by an operator.
    async fn changed(&self, asker: &Asker, uid: u32, change: &str) -> Result<Answer> {
        info!(uid, login = ?asker.login, change, "account changed");
        let login = self.sources.directory.tried_login(&asker.login);
        if let Err(error) = self.sources.state.revoke(state::Revoke::Login(login.into())).await {
            warn!(login = ?asker.login, %error, "grants unrevoked");
            let told = "it is done, but relay grants of earlier POP logins could not be taken back: tell the operator";
            return Err(Refusal::new(Kind::Temporary, told));
        }
        Ok(Answer::Done(asker.login.clone()))
    }

    async fn shown(&self, asker: &Asker) -> Result<Answer> {
        let directory = &self.sources.directory;
        let told = |error: DirectoryError| refused(&error);
        let account = directory.account(&asker.login).await.map_err(told)?;
        let mut last_uses = directory.last_uses(Some(&asker.login)).await.map_err(told)?;
        let devices = directory.devices(Some(&asker.login)).await.map_err(told)?;
        let there = devices.into_iter().filter(|device| device.revoked_at.is_none());
        let devices = there.map(|device| {
            let last = last_uses.remove(device.login.as_str());
            Device {
                last_used_at: last.as_ref().map(|last| last.at),
                last_used_from: last.map(|last| last.from.to_string()),
                name: device.name,
                login: device.login,
            }
        });
        Ok(Answer::Account(Account {
            devices: devices.collect(),
            login: account.login,
            name: account.name,
            quota_octets: account.quota_octets,
            expires_at: account.expires_at,
        }))
    }
}

/// An address of this machine for each of its users, for throttle and log: who guesses keeps nobody else waiting.
fn from(uid: u32) -> IpAddr {
    let [_, b, c, d] = uid.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, b, c, d))
}

fn refused(error: &DirectoryError) -> Refusal {
    let kind = match error {
        DirectoryError::WrongPassword => Kind::Denied,
        DirectoryError::NotFound { .. } => Kind::NotFound,
        error if error.is_temporary() => Kind::Temporary,
        _ => Kind::Invalid,
    };
    if kind == Kind::Temporary {
        warn!(%error, "account unanswered");
        return Refusal::new(kind, "the accounts cannot be asked now: try again later");
    }
    Refusal::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_this_machine_has_an_address_of_it() {
        assert_eq!(from(1_001).to_string(), "127.0.3.233");
        assert!([0, 1, 65_534, u32::MAX].into_iter().all(|uid| from(uid).is_loopback()));
    }
}
