//! Who brought a message, as the queue keeps it: the right, and whether the reverse-path is known to be theirs. Only then
//! they hear of a failure; a right to relay alone lets nobody have reports sent to whom they name.

use std::sync::Arc;

use directory::{Directory, Hosting, Resolution};
use guard::Right;
use judge::Case;
use smtp::server::Envelope;
use smtp::{Host, ReversePath};
use spool::{Origin, Ownership, Sender};
use tracing::warn;

use super::transaction::Proof;
use crate::border::Client;

/// Of a message whose recipients were all taken.
pub(super) async fn of(client: &Client, case: &Case, envelope: &Envelope<Proof>) -> Origin {
    let right = envelope.recipients.iter().find_map(|accepted| accepted.proof.recipient.right());
    let directory = &client.border.sources.directory;
    let (login, grant, reverse_path) = match (right, case.proved()) {
        (Some(right), _) => {
            let reverse_path = if is_satellites(client, right, &envelope.reverse_path) {
                Ownership::Proved
            } else {
                of_right(directory, right, &envelope.reverse_path).await
            };
            (right.login().map(str::to_owned), right.code(), reverse_path)
        }
        (None, Some(proved)) => {
            let reverse_path = of_login(directory, &proved.login, &envelope.reverse_path).await;
            (Some(proved.login.clone()), "auth", reverse_path)
        }
        (None, None) => return Origin::Outside,
    };
    let client = Some(case.client().unwrap_or(client.ip));
    Origin::Account(Sender { login, account_id: None, grant: grant.to_owned(), client, reverse_path })
}

/// Whether a network's client sends as a domain that the configuration says is its.
fn is_satellites(client: &Client, right: &Right, reverse_path: &ReversePath) -> bool {
    let (Right::Network(_) | Right::ClientMap(_), ReversePath::Mailbox(mailbox)) = (right, reverse_path) else {
        return false;
    };
    let Some(domain) = mailbox.host.domain() else { return false };
    let site = client.border.site.load();
    site.settings.relay.sender_domains.iter().any(|it| it.net.contains(&client.ip) && it.domains.contains(domain))
}

/// A right with a login was given for a reverse-path of that login. A network's client may use any; it is believed where
/// the address is one of ours that exists. What a server told over DRAC names nobody.
async fn of_right(directory: &Directory, right: &Right, reverse_path: &ReversePath) -> Ownership {
    match right {
        _ if right.login().is_some() => Ownership::Proved,
        Right::Network(_) | Right::ClientMap(_) => proved(exists(directory, reverse_path).await),
        Right::Auth { .. } | Right::Pop { .. } => Ownership::Unproved,
    }
}

async fn of_login(directory: &Directory, login: &str, reverse_path: &ReversePath) -> Ownership {
    let owners: Vec<Arc<str>> = match found(directory, reverse_path).await {
        Some(found) => found.owners(),
        None => Vec::new(),
    };
    proved(owners.iter().any(|owner| **owner == *login))
}

/// Whether it is an address of ours; one that only a catch-all takes is anybody's.
async fn exists(directory: &Directory, reverse_path: &ReversePath) -> bool {
    let found = found(directory, reverse_path).await;
    found.is_some_and(|found| found.hosting.is_found() && found.hosting != Hosting::CatchAll)
}

async fn found(directory: &Directory, reverse_path: &ReversePath) -> Option<Resolution> {
    let ReversePath::Mailbox(mailbox) = reverse_path else { return None };
    let Host::Domain(domain) = &mailbox.host else { return None };
    let found = directory.resolve(mailbox.local_part.as_str(), domain.as_str(), mailbox.routing().is_some()).await;
    found.inspect_err(|error| warn!(%error, note = "nobody is told of failures", "owner unknown")).ok()
}

fn proved(is: bool) -> Ownership {
    if is { Ownership::Proved } else { Ownership::Unproved }
}
