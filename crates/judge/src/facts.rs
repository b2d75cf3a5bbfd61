//! Facts for the guard: each look-up has a deadline, and what failed or is late is *unknown*, never a default.

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::IpAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use directory::{Chosen, Directory, SentBy};
use guard::{Choice, Fact, Fault, Hosting, PopEvidence, RelayPolicy};
use smtp::{Host, Mailbox, ReversePath};
use state::{Answer, State, StateError};
use tokio::time::Instant;

/// How long accounts and evidence may take: they are on this machine.
const LOCAL_WAIT: Duration = Duration::from_secs(5);

/// What was found of a mailbox.
pub(super) struct Hosted {
    pub(super) hosting: Hosting,
    /// Somebody behind it chose whose mail he takes.
    pub(super) has_choices: bool,
}

impl From<Hosting> for Hosted {
    fn from(hosting: Hosting) -> Self {
        Self { hosting, has_choices: false }
    }
}

/// Who answers for a mailbox here.
pub(super) async fn hosting(directory: &Directory, policy: &RelayPolicy, mailbox: &Mailbox) -> Fact<Hosted> {
    let Host::Domain(domain) = &mailbox.host else { return Fact::Known(Hosting::NotHosted.into()) };
    if policy.is_relay_domain(mailbox) {
        return Fact::Known(Hosting::RelayDomain.into());
    }
    let resolved = directory.resolve(mailbox.local_part.as_str(), domain.as_str(), mailbox.routing().is_some());
    let resolved = async {
        let found = sound(resolved).await?;
        let is_ours = found.as_ref().is_none_or(|found| found.hosting != directory::Hosting::NotHosted);
        Ok((found, is_ours && directory.is_off(domain.as_str()).await?))
    };
    asked(resolved).await.map(|(resolution, is_off)| {
        if is_off {
            return Hosting::DomainOff.into();
        }
        let Some(found) = resolution else { return Hosting::Misconfigured.into() };
        let hosting = match found.hosting {
            directory::Hosting::Mailbox => Hosting::Mailbox,
            directory::Hosting::Alias | directory::Hosting::CatchAll => Hosting::Alias,
            directory::Hosting::UnknownUser => Hosting::UnknownUser,
            directory::Hosting::NotHosted => Hosting::NotHosted,
        };
        Hosted { hosting, has_choices: found.has_choices() }
    })
}

/// What the choices behind a mailbox come to for a reverse-path.
pub(super) async fn choice(directory: &Directory, mailbox: &Mailbox, reverse_path: &ReversePath) -> Fact<Choice> {
    asked(chosen(directory, mailbox, reverse_path)).await
}

async fn chosen(
    directory: &Directory,
    mailbox: &Mailbox,
    reverse_path: &ReversePath,
) -> Result<Choice, directory::DirectoryError> {
    let Host::Domain(domain) = &mailbox.host else { return Ok(Choice::None) };
    let found = directory.resolve(mailbox.local_part.as_str(), domain.as_str(), mailbox.routing().is_some());
    let Some(found) = sound(found).await? else { return Ok(Choice::None) };
    let host = reverse_path.mailbox().map(|mailbox| mailbox.host.to_string()).unwrap_or_default();
    let mut all: Option<Choice> = None;
    for target in found.targets.iter() {
        let one = of(directory.chosen(target, sent_by(reverse_path, &host)).await?);
        all = Some(all.map_or(one, |before| before.and(one)));
    }
    Ok(all.unwrap_or(Choice::None))
}

/// A reverse-path as the directory takes it, with its host as it prints.
pub fn sent_by<'a>(reverse_path: &'a ReversePath, host: &'a str) -> SentBy<'a> {
    match reverse_path {
        ReversePath::Null => SentBy::Null,
        ReversePath::Mailbox(mailbox) => SentBy::Mailbox { local_part: mailbox.local_part.as_str(), domain: host },
    }
}

/// What one account chose, in the guard's words.
pub fn of(chosen: Chosen) -> Choice {
    match chosen {
        Chosen::Nothing => Choice::None,
        Chosen::Accepted => Choice::Accepted,
        Chosen::Refused => Choice::Refused,
        Chosen::NotAccepted => Choice::NotAccepted,
        Chosen::IfProved => Choice::IfProved,
    }
}

/// `None` where an alias leads to itself or to nobody, which is told: no answer of another time is better.
async fn sound<T>(
    look_up: impl Future<Output = Result<T, directory::DirectoryError>>,
) -> Result<Option<T>, directory::DirectoryError> {
    match look_up.await {
        Ok(found) => Ok(Some(found)),
        Err(directory::DirectoryError::Alias { address, fault }) => {
            tracing::info!(?address, %fault, "alias broken");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The logins that own a reverse-path.
pub async fn owners(directory: &Directory, reverse_path: &ReversePath) -> Fact<Vec<String>> {
    let ReversePath::Mailbox(mailbox) = reverse_path else { return Fact::Known(Vec::new()) };
    let Host::Domain(domain) = &mailbox.host else { return Fact::Known(Vec::new()) };
    let found = directory.owners(mailbox.local_part.as_str(), domain.as_str(), mailbox.routing().is_some());
    asked(sound(found)).await.map(|logins| logins.iter().flatten().map(ToString::to_string).collect())
}

/// Whether the domain of a reverse-path is one of ours.
pub async fn is_own_domain(directory: &Directory, policy: &RelayPolicy, reverse_path: &ReversePath) -> Fact<bool> {
    let ReversePath::Mailbox(mailbox) = reverse_path else { return Fact::Known(false) };
    let Host::Domain(domain) = &mailbox.host else { return Fact::Known(false) };
    if policy.is_relay_domain(mailbox) {
        return Fact::Known(true);
    }
    asked(directory.is_hosted(domain.as_str())).await
}

/// The POP logins seen at an address, and the time by which they are to be judged.
pub async fn pop_evidence(state: &State, addr: IpAddr) -> Fact<Answer<Vec<PopEvidence>>> {
    kept(state.evidence_at(addr)).await
}

/// What the state says within its time.
pub(super) async fn kept<T>(look_up: impl Future<Output = Result<T, StateError>>) -> Fact<T> {
    match by(Instant::now() + LOCAL_WAIT, look_up).await {
        Some(Ok(found)) => Fact::Known(found),
        Some(Err(error)) => Fact::Unknown(error.fault()),
        None => Fact::Unknown(Fault::TimedOut("state")),
    }
}

/// What a look-up gives, unless it is late. Nearly all have their answer at once, and need no clock.
pub(super) async fn by<T>(until: Instant, look_up: impl Future<Output = T>) -> Option<T> {
    let mut look_up = pin!(look_up);
    match poll_fn(|context| Poll::Ready(look_up.as_mut().poll(context))).await {
        Poll::Ready(found) => Some(found),
        Poll::Pending => tokio::time::timeout_at(until, look_up).await.ok(),
    }
}

/// A fresh id for a decision. Not a secret, so it need not be asked of the system each time: the hash of nothing under a key
/// that the standard library draws once for a thread and counts on.
pub fn explain_id() -> guard::ExplainId {
    guard::ExplainId::from_random(RandomState::new().build_hasher().finish())
}

async fn asked<T>(look_up: impl Future<Output = Result<T, directory::DirectoryError>>) -> Fact<T> {
    match by(Instant::now() + LOCAL_WAIT, look_up).await {
        Some(Ok(found)) => Fact::Known(found),
        Some(Err(error)) => {
            tracing::warn!(%error, "directory unavailable");
            Fact::Unknown(Fault::Unavailable("directory"))
        }
        None => Fact::Unknown(Fault::TimedOut("directory")),
    }
}
