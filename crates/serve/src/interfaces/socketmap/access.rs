//! Maps `access…`: what access rules say of one thing. The values are actions of Postfix's access(5).

use std::net::IpAddr;
use std::sync::Arc;

use guard::{AskedRcpt, Depth, Effects, Manner};
use mta::{address, socketmap::Reply};

use crate::interfaces::Connection;
use judge::{Case, Connected, Decision, Judge, Terms};
use mta::path;

/// Map `access`: the first word says what the second is. A word alone is a client's address, or a sender.
pub(super) async fn by_word(connection: &Connection, terms: &Terms, key: &[u8]) -> Reply {
    let blank = key.iter().position(|&octet| octet == b' ');
    let (word, rest) = blank.map_or((key, None), |at| (&key[..at], Some(&key[at + 1..])));
    match (word, rest) {
        (b"client", Some(rest)) => client(connection, terms, rest).await,
        (b"helo", Some(rest)) => helo(connection, terms, rest).await,
        (b"sender", Some(rest)) => sender(connection, terms, rest).await,
        (b"recipient", Some(rest)) => recipient(connection, terms, rest).await,
        _ if address::parse(key).is_some() => client(connection, terms, key).await,
        _ if key.contains(&b'@') => sender(connection, terms, key).await,
        _ => Reply::NotFound,
    }
}

/// A client's address; its name is looked up if a rule may want it.
pub(super) async fn client(connection: &Connection, terms: &Terms, key: &[u8]) -> Reply {
    let Some(ip) = address::parse(key) else { return Reply::NotFound };
    let decision = judge(connection, terms).connect(&mut case(connection, Some(ip))).await;
    value(decision)
}

/// A greeting name.
pub(super) async fn helo(connection: &Connection, terms: &Terms, key: &[u8]) -> Reply {
    let Ok(name) = str::from_utf8(key) else { return Reply::NotFound };
    let mut case = case(connection, None);
    case.greeted(Some(name.to_owned()));
    value(judge(connection, terms).connect(&mut case).await)
}

/// A reverse-path: `<>` is the null one.
pub(super) async fn sender(connection: &Connection, terms: &Terms, key: &[u8]) -> Reply {
    let Ok(reverse_path) = path::reverse(bare(key)) else { return Reply::NotFound };
    let mut case = case(connection, None);
    case.begin(reverse_path, None);
    value(judge(connection, terms).mail(&mut case).await)
}

/// A forward-path.
pub(super) async fn recipient(connection: &Connection, terms: &Terms, key: &[u8]) -> Reply {
    let Ok(forward) = path::forward(bare(key)) else { return Reply::NotFound };
    let asked = AskedRcpt { forward_path: &forward.path, had_source_route: forward.had_source_route };
    value(judge(connection, terms).rcpt(&mut case(connection, None), asked).await)
}

/// Without the brackets, if there are any.
fn bare(key: &[u8]) -> &[u8] {
    key.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(key)
}

/// A case of which only the one thing is known that is asked about.
fn case(connection: &Connection, client: Option<IpAddr>) -> Case {
    let (session, listener) = (connection.session, Arc::clone(&connection.listener));
    Case::new(Connected { client, session, listener }, Manner::asked_by_mail_server(Depth::Rules))
}

fn judge<'a>(connection: &'a Connection, terms: &'a Terms) -> Judge<'a> {
    Judge { sources: &connection.border.sources, terms, policy: &terms.mta_policy }
}

fn value(decision: Decision) -> Reply {
    decision.refused.map_or_else(|| effect(&decision.effects), |reply| Reply::Ok(reply.to_string()))
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
