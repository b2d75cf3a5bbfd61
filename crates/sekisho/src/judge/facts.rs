//! Facts for the guard: each look-up has a deadline, and what failed or is late is *unknown*, never a default.

use std::future::Future;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use directory::Directory;
use guard::{Charged, DeviceCharge, Fact, Fault, Hosting, PopCharge, PopEvidence, RelayPolicy};
use smtp::{Host, Mailbox, ReversePath};
use state::{ChargeOutcome, Embedded, PopLimits};

use crate::config::Pop;

/// How long accounts and evidence may take: they are on this machine.
const LOCAL_WAIT: Duration = Duration::from_secs(5);
/// The window of the limits `relay.pop.…_per_hour`.
const HOUR: Duration = Duration::from_hours(1);

/// Who answers for a mailbox here.
pub async fn hosting(directory: &Directory, policy: &RelayPolicy, mailbox: &Mailbox) -> Fact<Hosting> {
    let Host::Domain(domain) = &mailbox.host else { return Fact::Known(Hosting::NotHosted) };
    if policy.is_relay_domain(mailbox) {
        return Fact::Known(Hosting::RelayDomain);
    }
    let resolved = directory.resolve(mailbox.local_part.as_str(), domain.as_str(), mailbox.routing().is_some());
    asked(resolved).await.map(|resolution| match resolution.hosting {
        directory::Hosting::Mailbox => Hosting::Mailbox,
        directory::Hosting::Alias | directory::Hosting::CatchAll => Hosting::Alias,
        directory::Hosting::UnknownUser => Hosting::UnknownUser,
        directory::Hosting::NotHosted => Hosting::NotHosted,
    })
}

/// The logins that own a reverse-path.
pub async fn owners(directory: &Directory, reverse_path: &ReversePath) -> Fact<Vec<String>> {
    let ReversePath::Mailbox(mailbox) = reverse_path else { return Fact::Known(Vec::new()) };
    let Host::Domain(domain) = &mailbox.host else { return Fact::Known(Vec::new()) };
    let found = directory.owners(mailbox.local_part.as_str(), domain.as_str(), mailbox.routing().is_some());
    asked(found).await.map(|logins| logins.iter().map(ToString::to_string).collect())
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

/// The POP logins seen at an address.
pub async fn pop_evidence(state: &Embedded, addr: IpAddr, now: SystemTime) -> Fact<Vec<PopEvidence>> {
    match tokio::time::timeout(LOCAL_WAIT, state.pop_evidence(addr, now)).await {
        Ok(Ok(evidence)) => Fact::Known(evidence),
        Ok(Err(error)) => Fact::Unknown(error.fault()),
        Err(_) => Fact::Unknown(Fault::TimedOut("state")),
    }
}

/// Counts a mail on the quota of a POP grant.
pub async fn charge(state: &Embedded, key: &PopCharge, pop: &Pop, now: SystemTime) -> Fact<Charged> {
    let limits = PopLimits { messages: pop.messages_per_hour, recipients: pop.recipients_per_hour, window: HOUR };
    match tokio::time::timeout(LOCAL_WAIT, state.charge_pop(key, limits, now)).await {
        Ok(Ok(outcome)) => Fact::Known(outcome.into()),
        Ok(Err(error)) => Fact::Unknown(error.fault()),
        Err(_) => Fact::Unknown(Fault::TimedOut("state")),
    }
}

/// Counts a message on the rate of a device.
pub fn charge_device(state: &Embedded, device: &DeviceCharge, now: SystemTime) -> Charged {
    match state.charge_device(&device.login, device.per_hour, now) {
        ChargeOutcome::Within => Charged::Within,
        ChargeOutcome::Exceeded { .. } | ChargeOutcome::NoEvidence => Charged::Exceeded,
    }
}

/// A fresh id for a decision. Not a secret: if the system has no random octets, the clock will do.
pub fn explain_id() -> guard::ExplainId {
    let random = getrandom::u64().unwrap_or_else(|_| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()) << 8)
    });
    guard::ExplainId::from_random(random)
}

async fn asked<T>(look_up: impl Future<Output = Result<T, directory::DirectoryError>>) -> Fact<T> {
    match tokio::time::timeout(LOCAL_WAIT, look_up).await {
        Ok(Ok(found)) => Fact::Known(found),
        Ok(Err(error)) => {
            tracing::warn!(%error, "directory gives no answer");
            Fact::Unknown(Fault::Unavailable("directory"))
        }
        Err(_) => Fact::Unknown(Fault::TimedOut("directory")),
    }
}
