//! A filter that tells what it is told, to see what a real mail server says: `milter_echo ADDRESS:PORT`.
//!
//! Beginnings of names choose its replies: a HELO name or recipient `refused…` is refused with 550, `later…` with 451,
//! `accept…` is accepted at once, `discard…` thrown away; a message to `quarantine…` is put aside, one to `changed…` gets
//! another sender, recipient and body. Every message that goes on gets a header `X-Milter-Echo`. With `MILTER_TRACE` set,
//! all octets are shown, too.
#![expect(clippy::disallowed_types, reason = "an example is a program with a socket; the crate has none")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use mta::milter::{Actions, Config, Event, Misuse, Modification, Reply, Session, Steps, path_text};
use smtp::Enhanced;

const MACROS: &[&str] = &[
    "j",
    "_",
    "i",
    "v",
    "client_addr",
    "client_name",
    "client_port",
    "client_ptr",
    "client_resolve",
    "daemon_name",
    "daemon_port",
    "auth_type",
    "auth_authen",
    "auth_author",
    "tls_version",
    "mail_addr",
    "mail_host",
    "mail_mailer",
    "rcpt_mailer",
    "rcpt_host",
    "rcpt_addr",
];

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: milter_echo ADDRESS:PORT")?;
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || match serve(stream) {
            Ok(()) => println!("connection over"),
            Err(error) => println!("connection fails: {error}"),
        });
    }
    Ok(())
}

fn config() -> Config {
    let actions = [
        Actions::CHANGE_HEADERS,
        Actions::CHANGE_FROM,
        Actions::ADD_RECIPIENTS,
        Actions::DELETE_RECIPIENTS,
        Actions::REPLACE_BODY,
    ];
    let steps = [Steps::HEADERS, Steps::END_OF_HEADERS, Steps::BODY, Steps::UNKNOWN, Steps::SKIP];
    let base = Config::default();
    Config {
        actions: actions.into_iter().fold(base.actions, Actions::or),
        steps: steps.into_iter().fold(base.steps, Steps::or),
        ..base
    }
}

/// Recipients that the server did not refuse, of the open transaction.
type Recipients = Vec<String>;

fn serve(mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let trace = std::env::var_os("MILTER_TRACE").is_some();
    let mut session = Session::new(config());
    let mut recipients = Recipients::new();
    let (mut input, mut out) = (vec![0; 65_536], Vec::new());
    while !session.is_closed() {
        let octets = stream.read(&mut input)?;
        if octets == 0 {
            break;
        }
        if trace {
            println!("< {}", input[..octets].escape_ascii());
        }
        session.push(&input[..octets]);
        while let Some(event) = session.next_event(&mut out)? {
            tell(&event, &session);
            if event.wants_reply() {
                answer(&event, &mut session, &mut recipients, &mut out)?;
            }
        }
        if trace && !out.is_empty() {
            println!("> {}", out.escape_ascii());
        }
        stream.write_all(&out)?;
        out.clear();
    }
    Ok(())
}

fn tell(event: &Event, session: &Session) {
    match event {
        Event::Body(octets) => println!("Body of {} octets", octets.len()),
        Event::Header { name, value } if value.len() > 200 => {
            println!("Header {:?} of {} octets", String::from_utf8_lossy(name), value.len());
        }
        Event::Connect { hostname, addr, port } => {
            println!("{:?}", session.negotiated());
            println!("Connect {:?} {addr:?} {port}", String::from_utf8_lossy(hostname));
        }
        Event::Helo(name) => println!("Helo {:?}", String::from_utf8_lossy(name)),
        Event::Mail { path, params } | Event::Rcpt { path, params, .. } => {
            let params: Vec<_> = params.iter().map(|param| String::from_utf8_lossy(param)).collect();
            println!("path {:?} {params:?}", String::from_utf8_lossy(path));
        }
        Event::Header { name, value } => {
            println!("Header {:?} {:?}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        }
        other => println!("{other:?}"),
    }
    for name in MACROS {
        if let Some(value) = session.macro_value(name) {
            println!("    {name} = {}", value.escape_ascii());
        }
    }
}

fn answer(
    event: &Event,
    session: &mut Session,
    recipients: &mut Recipients,
    out: &mut Vec<u8>,
) -> Result<(), Box<dyn Error>> {
    let reply = match event {
        Event::Helo(name) => chosen(name),
        Event::Mail { .. } => {
            recipients.clear();
            Reply::Continue
        }
        Event::Rcpt { refused: true, .. } => Reply::Continue,
        Event::Rcpt { path, .. } => {
            let reply = chosen(path_text(path));
            if reply == Reply::Continue {
                recipients.push(String::from_utf8_lossy(path).into_owned());
            }
            reply
        }
        Event::Body(_) if session.negotiated().is_some_and(|agreed| agreed.steps.contains(Steps::SKIP)) => Reply::Skip,
        Event::EndOfMessage(_) => {
            change(session, recipients, out)?;
            Reply::Continue
        }
        _ => Reply::Continue,
    };
    println!("    -> {reply:?}");
    session.reply(&reply, out)?;
    Ok(())
}

fn chosen(name: &[u8]) -> Reply {
    let shown = String::from_utf8_lossy(name);
    match &*shown {
        name if name.starts_with("refused") => {
            let lines = vec![format!("<{name}>: 100% refused").into(), "and so it stays".into()];
            Reply::Refuse(smtp::Reply::lines(550, Some(Enhanced(5, 7, 1)), lines))
        }
        name if name.starts_with("later") => {
            Reply::Refuse(smtp::Reply::new(451, Enhanced(4, 7, 1), format!("<{name}>: come again")))
        }
        name if name.starts_with("accept") => Reply::Accept,
        name if name.starts_with("discard") => Reply::Discard,
        _ => Reply::Continue,
    }
}

/// Does to the message what is granted; a server of an old version may grant little.
fn change(session: &Session, recipients: &Recipients, out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let value = format!("{} recipients,\n\ttold by a filter", recipients.len());
    let mut changes = vec![
        Modification::InsertHeader { index: 0, name: "X-Milter-Echo", value: &value },
        Modification::AddHeader { name: "X-Milter-Tail", value: "below the others" },
    ];
    if recipients.iter().any(|path| path.starts_with("<quarantine")) {
        changes.push(Modification::Quarantine { reason: "a filter's wish" });
    }
    for path in recipients.iter().filter(|path| path.starts_with("<changed")) {
        changes.push(Modification::ChangeFrom { path: "<other@example.test>", params: "" });
        changes.push(Modification::DeleteRecipient { path });
        changes.push(Modification::AddRecipient { path: "<added@example.test>", params: "" });
        changes.push(Modification::ChangeHeader { index: 1, name: "Subject", value: "another" });
        changes.push(Modification::ReplaceBody(b"Another body.\r\n"));
    }
    session.progress(out)?;
    for change in &changes {
        match session.modify(change, out) {
            Err(Misuse::NotNegotiated) => println!("    not granted: {change:?}"),
            other => other?,
        }
    }
    Ok(())
}
