//! Socketmap: sendmail, Postfix and Exim look clients, senders and recipients up in the maps that the judge and the
//! accounts are.
//!
//! `key` reads what is asked; `docs/policy.md` tells of each map.

mod access;
mod accounts;
mod key;
mod relay;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use mta::socketmap::{Decoder, Reply, Request};
use tracing::info;

use super::client::{Answer, Told};
use super::{Connection, InForce, Served};
use listen::Link;

/// How long a mail server may be silent. Postfix and sendmail drop idle connections by themselves; this is for connections
/// whose other end is gone.
const IDLE_WAIT: Duration = Duration::from_hours(6);
/// Answers are sent when there are so many octets of them, whatever else waits to be answered.
const ANSWERS_OCTETS: usize = 16 * 1024;
/// The value of a map that only tells yes.
const YES: &str = "OK";

/// Serves one connection: whatever is asked at once is answered at once, in order. Who has said all he has to say and waits
/// for the answer (Exim) gets it before the connection is closed.
pub async fn serve(connection: &Connection, mut link: Link) -> Served {
    let (mut decoder, mut answers) = (Decoder::default(), Vec::new());
    loop {
        match link.read_with(IDLE_WAIT, |octets| decoder.push(octets)).await {
            Ok(Some(())) => {}
            Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(error),
            Ok(None) | Err(_) => return Ok(()),
        }
        let answered = answer_all(connection, &mut link, &mut decoder, &mut answers).await;
        link.send(&mut answers).await?;
        if !answered? {
            return Ok(());
        }
    }
}

/// Answers every request that is whole; false: the listener is in no configuration any more.
async fn answer_all(
    connection: &Connection,
    link: &mut Link,
    decoder: &mut Decoder,
    answers: &mut Vec<u8>,
) -> io::Result<bool> {
    let Some(in_force) = connection.in_force() else { return Ok(false) };
    loop {
        let asked = decoder.next_request().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let Some(request) = asked else { return Ok(true) };
        answer(connection, &in_force, &request).await.write_to(answers);
        if answers.len() >= ANSWERS_OCTETS {
            link.send(answers).await?;
        }
    }
}

async fn answer(connection: &Connection, in_force: &InForce, request: &Request) -> Reply {
    let (terms, key) = (&*in_force.terms, request.key());
    match request.map() {
        b"relay" => relay::relay(connection, in_force, key).await,
        b"connect" => connect(connection, in_force, key).await,
        b"access" => access::by_word(connection, terms, key).await,
        b"access-client" => access::client(connection, terms, key).await,
        b"access-helo" => access::helo(connection, terms, key).await,
        b"access-sender" => access::sender(connection, terms, key).await,
        b"access-recipient" => access::recipient(connection, terms, key).await,
        b"local" => accounts::local(connection, terms, key).await,
        b"mailbox" => accounts::mailbox(connection, terms, key).await,
        b"alias" => accounts::alias(connection, key).await,
        unknown => {
            let map = String::from_utf8_lossy(unknown);
            info!(session = %connection.session, listener = &*connection.listener, ?map, "map unknown");
            Reply::Perm("no such map".to_owned())
        }
    }
}

/// A client as the rules see it at its connection.
async fn connect(connection: &Connection, in_force: &InForce, key: &[u8]) -> Reply {
    // The name behind the address is the mail server's word; rules go by the one that we look up.
    let Some(ip) = key::first_address(key) else { return Reply::NotFound };
    let asking = connection.asking(in_force);
    match asking.connect(&mut asking.case(&told(ip))).await {
        Answer::Refuse(reply) => {
            let word = if reply.is_transient() { "DEFER" } else { "REJECT" };
            Reply::Ok(format!("{word} {}", plain(&reply.text().join(" "))))
        }
        Answer::Permit | Answer::Pass => Reply::NotFound,
    }
}

fn told(ip: IpAddr) -> Told<'static> {
    Told { ip: Some(ip), ..Told::default() }
}

/// Without the characters that sendmail reads as tokens of an address when it looks at the text again.
fn plain(text: &str) -> String {
    let is_plain = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '(' | ')' | '<' | '>' | '\\' | ',' | ';');
    text.chars().filter(is_plain).collect()
}
