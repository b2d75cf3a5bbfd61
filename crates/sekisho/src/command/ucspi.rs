//! `sekisho ucspi`: stands between tcpserver and a mail server of qmail's kind, and sets or removes `RELAYCLIENT` by what
//! the running server says about the client's address.
//!
//! It never sets `RELAYCLIENT` but on the server's word. Where the server does not give it in time, the client is told
//! to come back, and the mail server is not started.

use super::args::Ucspi;
use super::connection::{Connection, Endpoint};
use super::fault::{Exit, Fault};
use anyhow::{Context as _, anyhow};
use mta::socketmap::{self, ReplyDecoder, write_question};
use smtp::reply::{Enhanced, Reply};
use std::borrow::Cow;
use std::env;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

/// How long the server may take for both answers together.
const ANSWERS: Duration = Duration::from_secs(5);
/// Longest answer that is read, in octets.
const ANSWER_OCTETS_MAX: usize = 10_000;

/// Runs the command: becomes the program, or refuses the client.
pub(super) fn run(args: &Ucspi) -> Result<(), Fault> {
    let asked = remote_ip().and_then(|client| {
        let decision = ask(&args.socketmap, client).with_context(|| format!("{client}: {}", args.socketmap))?;
        Ok((client, decision))
    });
    match asked {
        Ok((_, Decision::Run { relay })) => {
            let relay_client = relay.then_some("");
            Err(become_program(&args.program, relay_client))
        }
        Ok((client, Decision::Refuse(reply))) => {
            anstream::eprintln!("sekisho ucspi: {client}: {reply}");
            Ok(say(&reply)?)
        }
        Err(error) => {
            say(&no_guard())?;
            Err(Fault::new(Exit::Qmail, error))
        }
    }
}

/// The client's address, as ucspi programs tell it: `TCPREMOTEIP`, or with another word than `TCP` where `PROTO` says so.
pub(super) fn remote_ip() -> anyhow::Result<IpAddr> {
    let name =
        env::var("PROTO").ok().filter(|proto| !proto.is_empty()).unwrap_or_else(|| "TCP".to_owned()) + "REMOTEIP";
    let value = env::var(&name).with_context(|| name.clone())?;
    address(&value).ok_or_else(|| anyhow!("{name}: {value:?} is no address"))
}

/// An address; an IPv6 one may have its interface behind it.
fn address(text: &str) -> Option<IpAddr> {
    let without_zone = text.split_once('%').map_or(text, |(address, _)| address);
    without_zone.parse().ok().map(guard::canonical_ip)
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// The program runs, with the right to relay or without.
    Run { relay: bool },
    /// It does not.
    Refuse(Reply),
}

fn ask(endpoint: &Endpoint, client: IpAddr) -> anyhow::Result<Decision> {
    let mut guard = Guard::connect(endpoint)?;
    if let Some(word) = guard.look_up("connect", client)? {
        return refusal(&word).map(Decision::Refuse).ok_or_else(|| anyhow!("connect: {word:?} is no answer"));
    }
    let relay = guard.look_up("relay", client)?.is_some();
    Ok(Decision::Run { relay })
}

/// The server's socketmap.
struct Guard {
    connection: Connection,
    replies: ReplyDecoder,
}

impl Guard {
    fn connect(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let connection = Connection::connect(endpoint, ANSWERS)?;
        Ok(Self { connection, replies: ReplyDecoder::with_limit(ANSWER_OCTETS_MAX) })
    }

    /// Asks a map. `None`: it has no such key. That it cannot say is an error.
    fn look_up(&mut self, map: &str, client: IpAddr) -> anyhow::Result<Option<String>> {
        match self.reply(map, client).context(map.to_owned())? {
            socketmap::Reply::Ok(value) => Ok(Some(value)),
            socketmap::Reply::NotFound => Ok(None),
            other => Err(anyhow!("{other:?}").context(map.to_owned())),
        }
    }

    fn reply(&mut self, map: &str, client: IpAddr) -> anyhow::Result<socketmap::Reply> {
        let mut question = Vec::new();
        write_question(map, &client.to_string(), &mut question);
        self.connection.send(&question)?;
        loop {
            if let Some(reply) = self.replies.next_reply()? {
                return Ok(reply);
            }
            self.replies.push(self.connection.receive()?);
        }
    }
}

/// The reply to a client that the guard will not have: `REJECT TEXT` or `DEFER TEXT`.
fn refusal(word: &str) -> Option<Reply> {
    let (verdict, text) = word.split_once(' ').unwrap_or((word, ""));
    let (code, class) = match verdict {
        "REJECT" => (554, 5),
        "DEFER" => (421, 4),
        _ => return None,
    };
    let (enhanced, text) = enhanced(text).filter(|(code, _)| code.0 == class).unwrap_or((Enhanced(class, 7, 1), text));
    let text = if text.is_empty() { "Access denied" } else { text };
    Some(Reply::new(code, enhanced, Cow::Owned(text.to_owned())))
}

/// `5.7.1 TEXT`.
fn enhanced(text: &str) -> Option<(Enhanced, &str)> {
    let (code, text) = text.split_once(' ')?;
    let mut parts = code.split('.');
    let code = Enhanced(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((code, text))
}

/// The greeting where the guard cannot be asked.
fn no_guard() -> Reply {
    Reply::new(421, Enhanced(4, 3, 0), "The guard does not answer, try again later")
}

/// Greets the client with a refusal; the connection ends with this process.
fn say(reply: &Reply) -> io::Result<()> {
    let mut octets = Vec::new();
    reply.write_to(&mut octets);
    let mut client = io::stdout().lock();
    client.write_all(&octets)?;
    client.flush()
}

/// Becomes the program, with this `RELAYCLIENT` or none; it returns only when that fails.
fn become_program(program: &[impl AsRef<OsStr>], relay_client: Option<&str>) -> Fault {
    let Some((name, arguments)) = program.split_first() else {
        return Fault::new(Exit::Usage, anyhow!("no program"));
    };
    let mut command = Command::new(name);
    command.args(arguments).env_remove("RELAYCLIENT");
    if let Some(value) = relay_client {
        command.env("RELAYCLIENT", value);
    }
    let error = command.exec();
    let told = say(&no_guard());
    let error = anyhow!(error).context(name.as_ref().display().to_string());
    Fault::new(Exit::Qmail, told.err().map_or(error, anyhow::Error::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("fe80::7%eth0", Some("fe80::7")),
            ("", None),
            ("192.0.2.7,192.0.2.8", None),
            ("mail.example.test", None),
        ];
        for (text, expected) in table {
            assert_eq!(address(text).map(|ip| ip.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn refusals() {
        let table = [
            ("REJECT go away", Some("554 5.7.1 go away")),
            ("REJECT 5.7.25 no name", Some("554 5.7.25 no name")),
            ("REJECT 4.7.1 mixed", Some("554 5.7.1 4.7.1 mixed")),
            ("REJECT", Some("554 5.7.1 Access denied")),
            ("DEFER 4.7.0 later", Some("421 4.7.0 later")),
            ("DEFER later", Some("421 4.7.1 later")),
            ("OK", None),
            ("", None),
            ("REJECTED x", None),
        ];
        for (word, expected) in table {
            assert_eq!(refusal(word).map(|reply| reply.to_string()).as_deref(), expected, "{word:?}");
        }
    }

    /// A server that answers with these netstrings, whatever it is asked, and closes.
    fn guard_that_says(answers: &'static [u8]) -> Endpoint {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answers).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        endpoint
    }

    #[test]
    fn only_ok_to_relay_is_a_right() {
        let run = |relay| Some(Decision::Run { relay });
        let refuse = |text: &'static str| Some(Decision::Refuse(Reply::new(554, Enhanced(5, 7, 1), text)));
        let table: [(&[u8], Option<Decision>); 12] = [
            (b"9:NOTFOUND ,3:OK ,", run(true)),
            (b"9:NOTFOUND ,8:OK alice,", run(true)),
            (b"9:NOTFOUND ,9:NOTFOUND ,", run(false)),
            (b"9:NOTFOUND ,5:TEMP ,", None),
            (b"9:NOTFOUND ,3:OK ", None),
            (b"9:NOTFOUND ,3:OK ;", None),
            (b"9:NOTFOUND ,", None),
            (b"3:OK ,3:OK ,", None),
            (b"12:TEMP no room,3:OK ,", None),
            (b"99999999:OK", None),
            (b"14:OK REJECT away,", refuse("away")),
            (b"13:OK REJECT away,", None),
        ];
        for (answers, expected) in table {
            let decision = ask(&guard_that_says(answers), "192.0.2.7".parse().unwrap());
            assert_eq!(decision.ok(), expected, "{}", answers.escape_ascii());
        }
    }
}
