//! Where an accepted recipient's mail goes: the targets of its alias, the mailbox, the next hop of its relay domain.

use std::sync::Arc;

use directory::{Directory, DirectoryError, Resolution};
use guard::HostedPath;
use smtp::{Domain, Host, Mailbox, ReversePath};
use spool::{Target, Via};

use crate::site::Site;
use config::{HostPort, Local, Remote, Settings};
use judge::facts;
use judge::tables::Hop;

/// Why an accepted recipient's mail cannot be sent on its way now.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The accounts cannot be asked.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Its account or alias went away after RCPT. A message taken for it would be lost.
    #[error("the recipient is gone since it was accepted")]
    Gone,
}

/// One of the ways that mail for an address goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The forward-path that it is delivered by.
    pub forward_path: String,
    /// Where to.
    pub target: Target,
    /// The alias by which it came to this.
    pub via: Option<Box<Via>>,
}

/// The ways of a recipient.
#[derive(Debug)]
pub struct Ways {
    /// At least one.
    pub ways: Vec<Routed>,
    /// Accounts behind it that do not take mail of its sender, where others do.
    pub left_out: Vec<Arc<str>>,
}

/// The targets of a recipient that is ours to answer for, as far as they take mail of the sender.
pub async fn targets(
    directory: &Directory,
    site: &Site,
    hosted: &HostedPath,
    reverse_path: &ReversePath,
) -> Result<Ways, RouteError> {
    let Some(mailbox) = hosted.mailbox() else { return Err(RouteError::Gone) };
    let (ways, left_out) = match resolved(directory, site, mailbox).await? {
        Resolved::Here(found) if found.has_choices() => {
            let host = reverse_path.mailbox().map(|mailbox| mailbox.host.to_string()).unwrap_or_default();
            let takes = |chosen| facts::of(chosen).takes(hosted.sent_by());
            let willing = directory.without_unwilling(found, facts::sent_by(reverse_path, &host), takes).await;
            (routed(site, mailbox, &willing.takers), willing.left_out)
        }
        Resolved::Here(found) => (routed(site, mailbox, &found), Vec::new()),
        Resolved::Onward(ways) => (ways, Vec::new()),
    };
    if ways.is_empty() { Err(RouteError::Gone) } else { Ok(Ways { ways, left_out }) }
}

/// The targets of a mailbox; empty when it is not ours.
pub async fn mailbox_targets(
    directory: &Directory,
    site: &Site,
    mailbox: &Mailbox,
) -> Result<Vec<Routed>, DirectoryError> {
    Ok(match resolved(directory, site, mailbox).await? {
        Resolved::Here(found) => routed(site, mailbox, &found),
        Resolved::Onward(ways) => ways,
    })
}

/// What a mailbox leads to.
enum Resolved {
    /// Accounts and aliases of ours; nothing, if it is not there.
    Here(Resolution),
    /// The next hop of a relay domain.
    Onward(Vec<Routed>),
}

async fn resolved(directory: &Directory, site: &Site, mailbox: &Mailbox) -> Result<Resolved, DirectoryError> {
    let Host::Domain(domain) = &mailbox.host else { return Ok(Resolved::Onward(Vec::new())) };
    if is_relay_domain(site, mailbox) {
        // Without a next hop it is another server's to deliver, and no listener of ours took mail for it.
        let routed = |target| Routed { forward_path: mailbox.to_string(), target, via: None };
        return Ok(Resolved::Onward(next_hop(site, mailbox).into_iter().map(routed).collect()));
    }
    let local_part = mailbox.local_part.as_str();
    let found = directory.resolve(local_part, domain.as_str(), mailbox.routing().is_some()).await?;
    Ok(Resolved::Here(found))
}

fn routed(site: &Site, mailbox: &Mailbox, found: &Resolution) -> Vec<Routed> {
    let routed = |(target, alias): (&directory::Target, &Option<Arc<str>>)| {
        let (forward_path, target) = match target {
            directory::Target::Account { login, .. } => {
                (mailbox.to_string(), local(&site.settings.delivery.local, login))
            }
            directory::Target::Forward { address } => (address.to_string(), forward(site, address)),
        };
        let via = alias.as_ref().map(|alias| Box::new(Via { given: mailbox.to_string(), alias: alias.to_string() }));
        Routed { forward_path, target, via }
    };
    found.targets.iter().zip(found.aliases.iter()).map(routed).collect()
}

fn is_relay_domain(site: &Site, mailbox: &Mailbox) -> bool {
    let listed = |domain: &Domain| site.settings.domains.relay_of(domain).is_some();
    mailbox.host.domain().is_some_and(listed) || site.terms.policy.relay.is_relay_domain(mailbox)
}

/// Where mail for a relay domain goes, whichever way it came to that address.
fn next_hop(site: &Site, mailbox: &Mailbox) -> Option<Target> {
    let domain = mailbox.host.domain()?;
    if let Some(relay) = site.settings.domains.relay_of(domain) {
        let hop = relay.next_hop.as_ref()?;
        return Some(Target::NextHop { server: hop.to_string() });
    }
    // One of a file, with a mailertable.
    let hop = site.terms.tables.next_hop(mailbox)?;
    Some(hop_target(hop, &site.settings))
}

/// The way of an alias's target that is no account: as that of mail to the address itself.
fn forward(site: &Site, address: &str) -> Target {
    let mailbox = Mailbox::parse(address).ok().filter(|mailbox| is_relay_domain(site, mailbox));
    mailbox.and_then(|mailbox| next_hop(site, &mailbox)).unwrap_or_else(|| elsewhere(address))
}

fn hop_target(hop: Hop, settings: &Settings) -> Target {
    let HostPort { host, port } = hop.host;
    match settings.delivery.remote {
        Remote::Mx if hop.by_mx => Target::Remote { host },
        // A smarthost is for the outside.
        _ => Target::NextHop { server: format!("{host}:{port}") },
    }
}

fn local(local: &Local, login: &str) -> Target {
    match local {
        Local::Maildir => Target::Maildir { account: login.to_owned() },
        Local::LmtpTcp(server) => Target::Lmtp { server: server.to_string() },
        Local::LmtpUnix(path) => Target::Lmtp { server: path.display().to_string() },
    }
}

fn elsewhere(address: &str) -> Target {
    let host = address.rsplit_once('@').map_or(address, |(_, host)| host);
    Target::Remote { host: host.to_owned() }
}
