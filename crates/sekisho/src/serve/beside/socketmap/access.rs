//! Maps `access…`: what access rules say of one thing. The values are actions of Postfix's access(5).

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};

use mta::{address, socketmap::Reply};
use tracing::info;

use crate::judge::facts::explain_id;
use crate::judge::reply::reply_to;
use crate::judge::tables::Subjects;
use crate::judge::{Effects, Ledger, Refused, Terms};
use crate::serve::beside::{Visit, path};

const NOTHING: Subjects<'static> =
    Subjects { client: None, name: None, helo: None, reverse_path: None, forward_path: None };
/// For questions that are about no client.
const NO_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Map `access`: the first word says what the second is. A word alone is a client's address, or a sender.
pub(super) async fn by_word(visit: &Visit, terms: &Terms, key: &[u8]) -> Reply {
    let blank = key.iter().position(|&octet| octet == b' ');
    let (word, rest) = blank.map_or((key, None), |at| (&key[..at], Some(&key[at + 1..])));
    match (word, rest) {
        (b"client", Some(rest)) => client(visit, terms, rest).await,
        (b"helo", Some(rest)) => helo(visit, terms, rest),
        (b"sender", Some(rest)) => sender(visit, terms, rest),
        (b"recipient", Some(rest)) => recipient(visit, terms, rest),
        _ if address::parse(key).is_some() => client(visit, terms, key).await,
        _ if key.contains(&b'@') => sender(visit, terms, key),
        _ => Reply::NotFound,
    }
}

/// A client's address; its name is looked up if a rule may want it.
pub(super) async fn client(visit: &Visit, terms: &Terms, key: &[u8]) -> Reply {
    let Some(ip) = address::parse(key) else { return Reply::NotFound };
    let mut ledger = Ledger::default();
    let judged = visit.party(terms, ip).rules(None, None, &mut ledger).await;
    value(visit, judged, &ledger, &ip)
}

/// A greeting name.
pub(super) fn helo(visit: &Visit, terms: &Terms, key: &[u8]) -> Reply {
    let Ok(name) = str::from_utf8(key) else { return Reply::NotFound };
    about(visit, terms, &Subjects { helo: Some(name), ..NOTHING }, &name)
}

/// A reverse-path: `<>` is the null one.
pub(super) fn sender(visit: &Visit, terms: &Terms, key: &[u8]) -> Reply {
    let Ok(reverse_path) = path::reverse(bare(key)) else { return Reply::NotFound };
    about(visit, terms, &Subjects { reverse_path: Some(&reverse_path), ..NOTHING }, &reverse_path)
}

/// A forward-path.
pub(super) fn recipient(visit: &Visit, terms: &Terms, key: &[u8]) -> Reply {
    let Ok(forward) = path::forward(bare(key)) else { return Reply::NotFound };
    about(visit, terms, &Subjects { forward_path: Some(&forward.path), ..NOTHING }, &forward.path)
}

/// Without the brackets, if there are any.
fn bare(key: &[u8]) -> &[u8] {
    key.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(key)
}

fn about(visit: &Visit, terms: &Terms, subjects: &Subjects<'_>, shown: &dyn Display) -> Reply {
    let mut ledger = Ledger::default();
    let judged = visit.party(terms, NO_CLIENT).rules_about(subjects, &mut ledger);
    value(visit, judged, &ledger, shown)
}

fn value(visit: &Visit, judged: Result<(), Refused>, ledger: &Ledger, shown: &dyn Display) -> Reply {
    let Err(refused) = judged else { return effect(&ledger.effects) };
    let id = explain_id();
    let reply = reply_to(&refused, shown, id);
    info!(
        session = %visit.session,
        subject = ?shown.to_string(),
        reply = %reply,
        reason = refused.refusal.reason.code(),
        explain = %id,
        trace = %ledger.trace,
        "access refused"
    );
    Reply::Ok(reply.to_string())
}

fn effect(effects: &Effects) -> Reply {
    if effects.discard {
        return Reply::Ok("DISCARD".to_owned());
    }
    if effects.hold {
        return Reply::Ok("HOLD".to_owned());
    }
    effects.prepend.first().map_or(Reply::NotFound, |header| Reply::Ok(format!("PREPEND {header}")))
}
