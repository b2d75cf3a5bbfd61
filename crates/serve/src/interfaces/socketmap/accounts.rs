//! Maps `local`, `mailbox`, `alias`: which domains and addresses are ours.

use directory::{Hosting, Resolution, Target};
use mta::socketmap::Reply;
use smtp::address::{ForwardPath, Host, Mailbox};
use tracing::warn;

use super::YES;
use crate::interfaces::Connection;
use judge::Terms;
use mta::path;

/// Whether mail for a domain is ours to take; relay domains are.
pub(super) async fn local(connection: &Connection, terms: &Terms, key: &[u8]) -> Reply {
    let Some(domain) = str::from_utf8(key).ok().and_then(|text| smtp::Domain::parse(text).ok()) else {
        return Reply::NotFound;
    };
    if terms.mta_policy.relay.is_relay_domain_name(&domain) {
        return Reply::Ok(YES.to_owned());
    }
    match connection.border.sources.directory.is_hosted(domain.as_str()).await {
        Ok(true) => Reply::Ok(YES.to_owned()),
        Ok(false) => Reply::NotFound,
        Err(error) => fault(&error),
    }
}

/// Whether mail for an address is taken, and whose it is: the account's login, or what is behind an alias. Of the addresses
/// in a relay domain all are.
pub(super) async fn mailbox(connection: &Connection, terms: &Terms, key: &[u8]) -> Reply {
    let Some(mailbox) = address(key) else { return Reply::NotFound };
    if terms.mta_policy.relay.is_relay_domain(&mailbox) {
        return Reply::Ok(mailbox.to_string());
    }
    match resolved(connection, &mailbox).await {
        Ok(found) => addresses(&found.targets),
        Err(reply) => reply,
    }
}

/// The addresses behind an alias, or behind a catch-all. The address of an account itself is none.
pub(super) async fn alias(connection: &Connection, key: &[u8]) -> Reply {
    let Some(mailbox) = address(key) else { return Reply::NotFound };
    match resolved(connection, &mailbox).await {
        Ok(Resolution { hosting: Hosting::Alias | Hosting::CatchAll, targets, .. }) => addresses(&targets),
        Ok(_) => Reply::NotFound,
        Err(reply) => reply,
    }
}

fn addresses(targets: &[Target]) -> Reply {
    let addresses: Vec<&str> = targets
        .iter()
        .map(|target| match target {
            Target::Account { login, .. } => &**login,
            Target::Forward { address } => &**address,
        })
        .collect();
    if addresses.is_empty() { Reply::NotFound } else { Reply::Ok(addresses.join(",")) }
}

/// Postfix also asks for `user` and `@domain`: nothing is found there, since `user@domain` was asked for first.
fn address(key: &[u8]) -> Option<Mailbox> {
    match path::forward(key).ok()?.path {
        ForwardPath::Mailbox(mailbox) => Some(mailbox),
        ForwardPath::Postmaster => None,
    }
}

async fn resolved(connection: &Connection, mailbox: &Mailbox) -> Result<Resolution, Reply> {
    let Host::Domain(domain) = &mailbox.host else { return Err(Reply::NotFound) };
    let local_part = mailbox.local_part.as_str();
    let found =
        connection.border.sources.directory.resolve(local_part, domain.as_str(), mailbox.routing().is_some()).await;
    found.map_err(|error| fault(&error))
}

/// An alias that leads to nobody is nothing to wait for: its mail is refused there as it is here.
fn fault(error: &directory::DirectoryError) -> Reply {
    if let directory::DirectoryError::Alias { address, fault } = error {
        tracing::info!(?address, %fault, "alias broken");
        return Reply::NotFound;
    }
    warn!(%error, "directory unavailable");
    Reply::Temp("the accounts cannot be asked".to_owned())
}
