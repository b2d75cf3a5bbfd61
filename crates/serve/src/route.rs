//! Where an accepted recipient's mail goes: the targets of its alias, the mailbox, the next hop of its relay domain.

use directory::{Directory, DirectoryError};
use guard::HostedPath;
use smtp::{Host, Mailbox};
use spool::Target;

use crate::site::Site;
use config::{HostPort, Local, Remote, Settings};
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

/// The targets of a recipient that is ours to answer for, at least one, each with the forward-path that it is delivered by.
pub async fn targets(
    directory: &Directory,
    site: &Site,
    hosted: &HostedPath,
) -> Result<Vec<(String, Target)>, RouteError> {
    let Some(mailbox) = hosted.mailbox() else { return Err(RouteError::Gone) };
    let targets = mailbox_targets(directory, site, mailbox).await?;
    if targets.is_empty() { Err(RouteError::Gone) } else { Ok(targets) }
}

/// The targets of a mailbox; empty when it is not ours.
pub async fn mailbox_targets(
    directory: &Directory,
    site: &Site,
    mailbox: &Mailbox,
) -> Result<Vec<(String, Target)>, DirectoryError> {
    let Host::Domain(domain) = &mailbox.host else { return Ok(Vec::new()) };
    let settings = &site.settings;
    if let Some(relay) = settings.domains.relay.iter().find(|relay| relay.domain == *domain) {
        // Without one it is another server's to deliver, and no listener of ours took mail for it.
        let Some(hop) = &relay.next_hop else { return Ok(Vec::new()) };
        return Ok(vec![(mailbox.to_string(), Target::NextHop { server: format!("{}:{}", hop.host, hop.port) })]);
    }
    if site.terms.policy.relay.is_relay_domain(mailbox) {
        // One of a file, with a mailertable.
        return Ok(site
            .terms
            .tables
            .next_hop(mailbox)
            .map(|hop| hop_target(mailbox, hop, settings))
            .into_iter()
            .collect());
    }
    let local_part = mailbox.local_part.as_str();
    let found = directory.resolve(local_part, domain.as_str(), mailbox.routing().is_some()).await?;
    let target = |target: &directory::Target| match target {
        directory::Target::Account { login, .. } => (mailbox.to_string(), local(&settings.delivery.local, login)),
        directory::Target::Forward { address } => (address.to_string(), elsewhere(address)),
    };
    Ok(found.targets.iter().map(target).collect())
}

fn hop_target(mailbox: &Mailbox, hop: Hop, settings: &Settings) -> (String, Target) {
    let HostPort { host, port } = hop.host;
    let target = match settings.delivery.remote {
        Remote::Mx if hop.by_mx => Target::Remote { host },
        // A smarthost is for the outside.
        _ => Target::NextHop { server: format!("{host}:{port}") },
    };
    (mailbox.to_string(), target)
}

fn local(local: &Local, login: &str) -> Target {
    match local {
        Local::Maildir => Target::Maildir { account: login.to_owned() },
        Local::LmtpTcp(server) => Target::Lmtp { server: format!("{}:{}", server.host, server.port) },
        Local::LmtpUnix(path) => Target::Lmtp { server: path.display().to_string() },
    }
}

fn elsewhere(address: &str) -> Target {
    let host = address.rsplit_once('@').map_or(address, |(_, host)| host);
    Target::Remote { host: host.to_owned() }
}
