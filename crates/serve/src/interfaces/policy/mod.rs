//! Postfix's policy delegation: each question is judged like a command of SMTP.
//!
//! `messages` remembers, over several questions about one message, what was charged and what is still to be done with it;
//! `docs/policy.md` tells the protocol as it is spoken here.

mod messages;
#[cfg(test)]
mod tests;

use std::io;
use std::time::{Duration, Instant};

use guard::{AskedRcpt, Depth, Manners};
use mta::policy::{Decoder, Reply, Request, Stage, Text};
use smtp::address::AddressError;

pub use self::messages::Messages;
use self::messages::{Asker, Message};
use super::client::{Answer, Asking, Told};
use super::{Connection, InForce, Served};
use config::RelayMode;
use listen::Link;
use mta::path;

/// How long a mail server may be silent. Postfix drops idle connections by itself, after five minutes unless told otherwise;
/// this is for connections whose other end is gone.
const IDLE_WAIT: Duration = Duration::from_hours(6);
/// How long the rest of a request may take that has begun.
const REST_WAIT: Duration = Duration::from_mins(1);
/// Answers are sent when there are so many octets of them, whatever else waits to be answered.
const ANSWERS_OCTETS: usize = 16 * 1024;

/// Serves one connection: whatever is asked at once is answered at once, in order.
pub async fn serve(connection: &Connection, mut link: Link) -> Served {
    let (mut decoder, mut answers) = (Decoder::default(), Vec::new());
    loop {
        let within = decoder.is_within_request();
        let wait = if within { REST_WAIT } else { IDLE_WAIT };
        match link.read_with(wait, |octets| decoder.push(octets)).await {
            Ok(Some(())) => {}
            Ok(None) if within => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if within || error.kind() != io::ErrorKind::TimedOut => return Err(error),
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

/// The answer to one question; there always is one.
async fn answer(connection: &Connection, in_force: &InForce, request: &Request) -> Reply {
    // Nothing is judged by what VRFY, ETRN or a stage to come may tell.
    let Some(stage) = request.stage().filter(|stage| !matches!(stage, Stage::Vrfy | Stage::Etrn)) else {
        return Reply::Dunno;
    };
    if matches!(stage, Stage::Data | Stage::EndOfMessage) {
        return effect(connection, in_force.relay, request, stage).await;
    }
    // By XCLIENT somebody else told the mail server of it.
    let login = text(request.sasl_username()).filter(|_| !request.sasl_method().eq_ignore_ascii_case(b"XCLIENT"));
    let under = |version: &[u8]| if version.is_empty() { Manners::PlainText } else { Manners::Tls };
    let security = request.encryption_protocol().map(under);
    let told = Told { ip: request.client_address(), helo: text(request.helo_name()), login, security };
    let asking = connection.asking(in_force);
    match stage {
        Stage::Rcpt => at_rcpt(asking.to(depth(in_force.relay, request)), &told, request).await,
        // Whose the recipients are is not known yet.
        Stage::Mail => at_mail(asking.to(Depth::Hosting), &told, request).await,
        _ => reply(asking.connect(&mut asking.case(&told)).await),
    }
}

/// How far a recipient is judged. The protocol does not say whether the mail server has it, so that is told by the place from
/// which it is asked: before Postfix has looked (`grant`), behind `permit_auth_destination` (`foreign`), or nothing of it.
fn depth(relay: RelayMode, request: &Request) -> Depth {
    match (relay, request.policy_context()) {
        (RelayMode::Restrict, _) => Depth::Hosting,
        (RelayMode::Permit, b"grant") => Depth::Granting,
        (RelayMode::Permit, b"foreign") => Depth::Relaying,
        (RelayMode::Permit, _) => Depth::Offering,
    }
}

fn text(octets: &[u8]) -> Option<&str> {
    str::from_utf8(octets).ok().filter(|text| !text.is_empty())
}

async fn at_mail(asking: Asking<'_>, told: &Told<'_>, request: &Request) -> Reply {
    let answer = match path::reverse(request.sender()) {
        Ok(reverse_path) => asking.mail(&mut asking.case(told), reverse_path).await,
        Err(error) => asking.unreadable_sender(told, request.sender(), error).await,
    };
    reply(answer)
}

/// Two lists of restrictions may ask about the same recipient, and over different connections: it is charged once.
async fn at_rcpt(asking: Asking<'_>, told: &Told<'_>, request: &Request) -> Reply {
    let (reverse_path, forward) = match paths(request) {
        Ok(paths) => paths,
        Err((Path::Reverse, error)) => {
            return reply(asking.unreadable_sender(told, request.sender(), error).await);
        }
        Err((Path::Forward, error)) => return reply(asking.unreadable(told, request.recipient(), error)),
    };
    let asked = AskedRcpt { forward_path: &forward.path, had_source_route: forward.had_source_route };
    let from = Asker { listener: &asking.connection.listener, mode: asking.mode };
    let kept = asking.connection.border.messages.of(from, request, Instant::now());
    let mut message = kept.message().await;
    let recipient = kept.recipient(request.recipient());
    let was_permitted = message.was_permitted(recipient);
    let case = message.case(|| {
        let mut case = asking.case(told);
        case.begin(reverse_path, None);
        case
    });
    asking.again(case, told);
    // What was permitted was charged, and is permitted again as long as the right is there.
    let confirmed = if was_permitted { Some(asking.confirm(case, asked).await) } else { None };
    let answer = match confirmed {
        Some(answer) if answer == Answer::Permit || asking.depth == Depth::Relaying => answer,
        // The right is gone; without it the recipient may still be one of the mail server's own.
        Some(_) | None => asking.rcpt(case, asked).await,
    };
    message.judged();
    if answer == Answer::Permit {
        message.permitted(recipient);
    }
    let effect = if answer == Answer::Pass { message.effect(Stage::Rcpt) } else { None };
    kept.done(message);
    effect.unwrap_or_else(|| reply(answer))
}

enum Path {
    Reverse,
    Forward,
}

type Paths = (smtp::ReversePath, smtp::address::ForwardPathParse);

fn paths(request: &Request) -> Result<Paths, (Path, AddressError)> {
    let reverse_path = path::reverse(request.sender()).map_err(|error| (Path::Reverse, error))?;
    let forward = path::forward(request.recipient()).map_err(|error| (Path::Forward, error))?;
    Ok((reverse_path, forward))
}

/// What access rules asked for at RCPT and is still to be done with the message.
async fn effect(connection: &Connection, mode: RelayMode, request: &Request, stage: Stage) -> Reply {
    let Some(kept) =
        connection.border.messages.known(Asker { listener: &connection.listener, mode }, request, Instant::now())
    else {
        return Reply::Dunno;
    };
    let mut message = kept.message().await;
    let effect = message.effect(stage);
    kept.done(message);
    effect.unwrap_or(Reply::Dunno)
}

impl Message {
    /// The next thing that access rules want done with the message, each once: the gravest first, since the next question may
    /// not come. A header cannot be put above a message that is there already.
    fn effect(&mut self, stage: Stage) -> Option<Reply> {
        let effects = &self.effects;
        if effects.discard {
            let first = !std::mem::replace(&mut self.discarded, true);
            return first.then_some(Reply::Discard(Text::Borrowed("access rule")));
        }
        if effects.hold && !std::mem::replace(&mut self.held, true) {
            return Some(Reply::Hold(Text::Borrowed("access rule")));
        }
        let header = effects.prepend.get(self.prepended).filter(|_| stage != Stage::EndOfMessage)?;
        self.prepended += 1;
        Some(Reply::Prepend(Text::Owned(header.clone())))
    }
}

fn reply(answer: Answer) -> Reply {
    match answer {
        Answer::Permit => Reply::Ok,
        Answer::Pass => Reply::Dunno,
        Answer::Refuse(reply) => Reply::from(&reply),
    }
}
