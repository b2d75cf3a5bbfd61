//! Logins that count: who tells of one, and what may not be granted whoever tells.

use std::fs;
use std::future::poll_fn;
use std::net::IpAddr;
use std::path::Path;
use std::task::Poll;
use std::time::SystemTime;

use drac::allow::Allow;
use drac::gateways;
use drac::never_granted::{Loopback, NeverGranted};
use guard::{PopSource, Subject};
use smtp::{Host, Mailbox};
use state::{PopLogin, StateError};
use tracing::{info, warn};

use super::border::{Border, SessionId};
use super::site::Site;
use crate::config::Drac;

/// `dracd.allow` is small; more is no such file.
const ALLOW_OCTETS_MAX: u64 = 1 << 20;

/// Who may tell of logins at other servers, and which addresses are nobody's.
#[derive(Debug)]
pub struct Outside {
    /// The servers that may add by DRAC.
    pub allow: Allow,
    /// Addresses that are never granted when another server names them.
    pub never: NeverGranted,
}

impl Outside {
    /// Reads the allow list and asks the system for its gateways.
    pub fn load(drac: &Drac) -> Result<Self, String> {
        let loopback = if drac.loopback { Loopback::Granted } else { Loopback::Refused };
        let never = NeverGranted::new(loopback, default_gateways().into_iter().chain(drac.never.iter().copied()));
        let Some(path) = &drac.allow else { return Ok(Self { allow: Allow::loopback_only(), never }) };
        let loaded = read_allow(path)?;
        for warning in &loaded.warnings {
            warn!(%warning, "dracd.allow");
        }
        Ok(Self { allow: loaded.allow, never })
    }
}

/// Reads a `dracd.allow`.
pub fn read_allow(path: &Path) -> Result<drac::allow::Loaded, String> {
    let name = path.display().to_string();
    let octets = fs::metadata(path).map_err(|error| format!("{name}: {error}"))?.len();
    if octets > ALLOW_OCTETS_MAX {
        return Err(format!("{name}: {octets} octets are no allow list; at most {ALLOW_OCTETS_MAX}"));
    }
    let text = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    Allow::parse(&name, &text).map_err(|error| error.to_string())
}

/// Behind a container's or a home router's gateway is everybody.
pub fn default_gateways() -> Vec<IpAddr> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut found = gateways::ipv4(&read("/proc/net/route"));
    found.extend(gateways::ipv6(&read("/proc/net/ipv6_route")));
    found
}

/// A login, and who told of it.
#[derive(Debug, Clone)]
pub struct Told {
    /// The client.
    pub client: IpAddr,
    /// Whose login.
    pub subject: Subject,
    /// Who told.
    pub source: PopSource,
}

/// Whether a login was recorded.
#[derive(Debug)]
pub enum Recorded {
    /// It counts from now on, and is durable.
    Counts,
    /// POP logins grant nothing here.
    Off,
    /// Its address is nobody's.
    Never(drac::never_granted::Never),
    /// It could not be recorded.
    Failed(StateError),
}

/// Records a login; durable when it says so. What another server names is checked for addresses that are nobody's; at our own
/// POP3 server the client itself came from there.
pub async fn record(border: &Border, site: &Site, (session, told): (SessionId, Told)) -> Recorded {
    let Told { client, subject, source } = told;
    if !site.policy.pop_enabled() {
        return Recorded::Off;
    }
    let is_ours = matches!(source, PopSource::Pop3 | PopSource::Operator);
    if let Some(why) = site.outside.never.why(client).filter(|_| !is_ours) {
        info!(%session, %client, told_by = source.code(), subject = %subject, cause = %why, "login not granted");
        return Recorded::Never(why);
    }
    let addr = site.policy.pop_key(client);
    let login = PopLogin { addr, subject: subject.clone(), source };
    match border.state.record_pop_login(login, site.settings.relay.pop.lifetime, SystemTime::now()).await {
        Ok(recorded) => {
            if !recorded.renewed {
                info!(%session, client = %addr, login = %subject, told_by = source.code(), shared = recorded.shared, "pop grant");
            }
            Recorded::Counts
        }
        Err(error) => {
            // The mail can be read all the same; only relaying has to wait for a better moment.
            warn!(%session, %error, "pop login not recorded, so it grants nothing");
            Recorded::Failed(error)
        }
    }
}

/// Records several at once, each as [`record`] does; in their order.
pub async fn record_all(border: &Border, site: &Site, (session, told): (SessionId, Vec<Told>)) -> Vec<Recorded> {
    let mut waiting: Vec<_> =
        told.into_iter().map(|told| Some(Box::pin(record(border, site, (session, told))))).collect();
    let mut recorded: Vec<Option<Recorded>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (one, done) in waiting.iter_mut().zip(&mut recorded) {
            if let Some(Poll::Ready(value)) = one.as_mut().map(|one| one.as_mut().poll(context)) {
                (*one, *done) = (None, Some(value));
            }
        }
        if waiting.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    recorded.into_iter().flatten().collect()
}

/// The full name of another server's account, which is also its own address; `None` for what is no address.
pub fn account(site: &Site, login: &str) -> Option<String> {
    let whole = match &site.settings.domains.default {
        Some(domain) if !login.contains('@') => format!("{login}@{domain}"),
        _ => login.to_owned(),
    };
    let mailbox = Mailbox::parse(&whole).ok()?;
    let is_plain = matches!(mailbox.host, Host::Domain(_)) && mailbox.routing().is_none();
    is_plain.then(|| mailbox.to_string().to_ascii_lowercase())
}
