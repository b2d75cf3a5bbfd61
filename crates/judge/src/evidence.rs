//! Logins that count: what somebody tells of one, and whether it is recorded.

use std::net::IpAddr;
use std::sync::Arc;

use directory::{Identity, Why};
use guard::never_granted::{Named, Never};
use guard::{PopSource, Subject};
use smtp::{Host, Mailbox};
use state::{PopLogin, Revoke, State, StateError};
use tracing::{debug, info, warn};

use super::session::SessionId;
use super::sources::Sources;
use super::terms::Terms;

/// A login, and who told of it.
#[derive(Debug, Clone)]
pub struct ToldLogin {
    /// The client.
    pub client: IpAddr,
    /// Whose login.
    pub subject: Subject,
    /// Who told.
    pub source: PopSource,
    /// What it was proved by, if that was here: it counts only while that still holds.
    pub proved: Option<Identity>,
}

impl ToldLogin {
    /// The name of the device that logged in here.
    fn device(&self) -> Option<&str> {
        self.proved.as_ref()?.device.as_deref().map(|device| device.name.as_str())
    }
}

/// Whether a login was recorded.
#[derive(Debug)]
pub enum Recorded {
    /// It counts from now on, and is durable.
    Counts,
    /// POP logins grant nothing here.
    Off,
    /// Its address is nobody's.
    Never(Never),
    /// Its account may no more, or is another one since.
    Ended,
    /// It could not be recorded.
    Failed(StateError),
}

/// Records logins of one session.
#[derive(Clone, Copy)]
pub struct Recorder<'a> {
    /// Where they are recorded, and whose they are.
    pub sources: &'a Sources,
    /// The configuration.
    pub terms: &'a Terms,
    /// Who is named in the log.
    pub session: SessionId,
}

/// Takes back what a login was granted: at once in memory, and what cannot be written is seen to at the next start.
pub async fn end_grants(state: &State, login: &str) {
    if let Err(error) = state.revoke(Revoke::Login(login.to_owned())).await {
        warn!(%error, note = "the grant is revoked in memory, until the next start", "revocation unwritten");
    }
}

impl Recorder<'_> {
    /// Records a login; durable when it says so. An address that is nobody's is refused, whoever tells of it.
    pub async fn record(&self, told: &ToldLogin) -> Recorded {
        self.record_named(told, Named::Otherwise).await
    }

    /// The same for a client of which it is known who named its address.
    pub async fn record_named(&self, told: &ToldLogin, named: Named) -> Recorded {
        if let Err(refused) = self.check(told, named) {
            return refused;
        }
        if !self.still(told).await {
            return self.ended(told);
        }
        let lifetime = self.terms.settings.relay.pop.lifetime;
        let recorded = self.sources.state.record(self.login(told), lifetime).await;
        self.recorded(told, recorded).await
    }

    /// What came of recording it.
    async fn recorded(&self, told: &ToldLogin, recorded: Result<state::Recorded, StateError>) -> Recorded {
        // A change that was made meanwhile found nothing to take back yet.
        if recorded.is_ok() && !self.still(told).await {
            if let Subject::Account(login) = &told.subject {
                end_grants(&self.sources.state, login).await;
            }
            return self.ended(told);
        }
        self.tell(told, recorded)
    }

    /// Whether an account of ours may log in, by what was proved if that is known. What cannot be found out gives nothing.
    async fn still(&self, told: &ToldLogin) -> bool {
        let directory = &self.sources.directory;
        match (&told.proved, &told.subject) {
            (Some(proved), _) => matches!(directory.still(proved, told.client).await, Ok(Ok(_))),
            (None, Subject::Account(login)) => match directory.identity(login, told.client).await {
                Ok(Ok(_)) => true,
                // Another server's account is not ours to know.
                Ok(Err(Why::UnknownLogin)) => told.source.is_foreign(),
                Ok(Err(_)) | Err(_) => false,
            },
            (None, _) => true,
        }
    }

    fn ended(&self, told: &ToldLogin) -> Recorded {
        info!(session = %self.session, client = %told.client, told_by = told.source.code(), subject = %told.subject, cause = "its right has ended", "login ungranted");
        Recorded::Ended
    }

    /// Records several at once, each as [`Self::record`] does; in their order.
    pub async fn record_all(&self, told: &[ToldLogin]) -> Vec<Recorded> {
        let mut checked: Vec<Result<(), Recorded>> =
            told.iter().map(|told| self.check(told, Named::Otherwise)).collect();
        for (told, checked) in told.iter().zip(&mut checked) {
            if checked.is_ok() && !self.still(told).await {
                *checked = Err(self.ended(told));
            }
        }
        let counting = told.iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
        let logins = counting.map(|(told, _)| self.login(told)).collect();
        let lifetime = self.terms.settings.relay.pop.lifetime;
        let mut answers = self.sources.state.record_many(logins, lifetime).await.into_iter();
        let mut recorded = Vec::with_capacity(told.len());
        for (told, checked) in told.iter().zip(checked) {
            recorded.push(match checked {
                // There is one for each that was given.
                Ok(()) => self.recorded(told, answers.next().unwrap_or(Err(StateError::Closed))).await,
                Err(refused) => refused,
            });
        }
        recorded
    }

    fn check(&self, told: &ToldLogin, named: Named) -> Result<(), Recorded> {
        if !self.terms.policy.relay.pop_enabled() {
            return Err(Recorded::Off);
        }
        match self.terms.policy.relay.never().why_named(told.client, named) {
            Some(why) => {
                self.tell_never(told, why);
                Err(Recorded::Never(why))
            }
            None => Ok(()),
        }
    }

    /// Users behind a gateway or a proxy cannot send as they should, and only the operator can change that.
    fn tell_never(&self, told: &ToldLogin, why: Never) {
        let ToldLogin { client, subject, source, .. } = told;
        let told_by = source.code();
        info!(session = %self.session, %client, told_by, subject = %subject, cause = %why, "login ungranted");
        if let Some(remedy) = why.remedy().filter(|_| self.terms.outside.alarm_is_due()) {
            warn!(session = %self.session, %client, told_by, cause = %why, remedy, note = "logins from here grant nothing", "logins ungranted");
        }
    }

    fn login(&self, told: &ToldLogin) -> PopLogin {
        PopLogin {
            addr: self.terms.policy.relay.pop_key(told.client),
            subject: told.subject.clone(),
            source: told.source,
            device: told.device().map(Arc::from),
        }
    }

    fn tell(&self, told: &ToldLogin, recorded: Result<state::Recorded, StateError>) -> Recorded {
        match recorded {
            Ok(recorded) => {
                if !recorded.renewed {
                    let (addr, source) = (self.terms.policy.relay.pop_key(told.client), told.source.code());
                    let (subject, shared) = (&told.subject, recorded.shared);
                    info!(session = %self.session, client = %addr, login = %subject, device = told.device(), told_by = source, shared, "pop grant");
                }
                Recorded::Counts
            }
            Err(error) => {
                // The mail can be read all the same; only relaying has to wait for a better moment.
                warn!(session = %self.session, %error, note = "it grants nothing", "login unrecorded");
                Recorded::Failed(error)
            }
        }
    }

    /// Whose login it is that another server checked: an account of ours in its own form, if it may log in at all, or
    /// another's under its full name. `None`: it gives no right. A device has limits that a POP grant would not keep.
    pub async fn account_elsewhere(&self, login: &str, client: IpAddr) -> Option<String> {
        match self.sources.directory.identity(login, client).await {
            Ok(Ok(identity)) => identity.device.is_none().then(|| identity.login.to_string()),
            Ok(Err(Why::UnknownLogin)) => self.foreign_account(login),
            Ok(Err(why)) => {
                debug!(%client, %why, "login foreign");
                None
            }
            Err(error) => {
                warn!(%error, "directory unavailable");
                None
            }
        }
    }

    /// The full name of another server's account, which is also its own address; `None` for what is no address.
    fn foreign_account(&self, login: &str) -> Option<String> {
        let whole = match &self.terms.settings.domains.default {
            Some(domain) if !login.contains('@') => format!("{login}@{domain}"),
            _ => login.to_owned(),
        };
        let mailbox = Mailbox::parse(&whole).ok()?;
        let is_plain = matches!(mailbox.host, Host::Domain(_)) && mailbox.routing().is_none();
        is_plain.then(|| mailbox.to_string().to_ascii_lowercase())
    }
}
