//! The line that each message leaves that is relayed: by which right, of whom, on what evidence, by which line of which
//! configuration. Its keeping, and that none is lost, is the queue's part (`spool`), the binding of lines `keep`'s.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use config::Settings;
use directory::ServerKey;
use guard::{ExplainId, Right};
use jiff::Timestamp;
use keep::chain::{Chain, Key};
use keep::{Ledger, Room};
use serde::{Deserialize, Serialize};
use smtp::{ForwardPath, ReversePath};

use super::case::Case;
use super::terms::Terms;

/// Octets of one of its files.
const FILE_OCTETS: u64 = 16 << 20;
/// Recipients, domains and ids that are named for one right.
const NAMED_MAX: usize = 10;
/// Rights that are named for one message; a session has one or two.
const RIGHTS_MAX: usize = 4;
/// Octets of a text that others chose.
const TEXT_OCTETS_MAX: usize = 320;

/// Where the lines lie.
pub fn folder(settings: &Settings) -> PathBuf {
    settings.data_dir.join("record")
}

/// The chain of lines of a configuration.
pub fn chain(settings: &Settings, key: &ServerKey) -> Chain {
    Chain::new(ledger(settings), "relay", Key::new(key.derive("sekisho chain of relayed messages")))
}

/// Its files, to be read without a key.
pub fn ledger(settings: &Settings) -> Ledger {
    let room = Room { file_octets: FILE_OCTETS, aside: settings.relay.record.files };
    Ledger::new(folder(settings).join("relay.jsonl")).with_room(room)
}

/// A message that is relayed, as its session has it.
pub struct Message<'a> {
    /// Session, listener, greeting.
    pub case: &'a Case,
    /// By what it was judged last.
    pub terms: &'a Terms,
    /// The client.
    pub client: IpAddr,
    /// Its id in the queue.
    pub queue_id: &'a dyn Display,
    /// When it was taken.
    pub at: SystemTime,
    /// RFC 5321 §4.1.1.2.
    pub reverse_path: &'a ReversePath,
    /// How many recipients it has in all.
    pub recipients: usize,
    /// Those that are relayed to.
    pub relayed: &'a [Relayed<'a>],
    /// Its size.
    pub octets: u64,
}

/// A recipient that is relayed to.
#[derive(Clone, Copy)]
pub struct Relayed<'a> {
    /// RFC 5321 §4.1.1.3.
    pub path: &'a ForwardPath,
    /// By which right.
    pub right: &'a Right,
    /// The id of the decision.
    pub explain: Option<ExplainId>,
}

/// The line, as it is kept and listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When the message was taken.
    pub at: String,
    /// Its id in the queue.
    pub queue_id: String,
    /// The session's in the log.
    pub session: String,
    /// The listener.
    pub listener: String,
    /// The client's address.
    pub client: String,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// In brackets.
    pub reverse_path: String,
    /// How many recipients it has, own ones too.
    pub recipients: usize,
    /// By which rights it is relayed to whom.
    pub rights: Vec<Given>,
    /// Recipients that are relayed to by rights besides.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: usize,
    /// Its size.
    pub octets: u64,
    /// The policy's version in that process.
    pub policy: u64,
    /// Which configuration: the first 16 digits of the SHA-256 of what `sekisho config show` prints.
    pub configuration: String,
}

/// One right, and who is relayed to by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Stable word: `auth`, `network`, `client-map`, `pop`.
    pub right: String,
    /// The line of the configuration that gives it, as `FILE:LINE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Its device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The POP login that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How many are relayed to by it.
    pub recipients: usize,
    /// The first of them.
    pub to: Vec<String>,
    /// The first of their domains.
    pub domains: Vec<String>,
    /// The ids of the decisions about them.
    pub explain: Vec<String>,
}

/// A POP login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The account, or the server that told of it.
    pub by: String,
    /// From where.
    pub from: String,
    /// Since when it counts.
    pub since: String,
    /// Until when.
    pub until: String,
}

/// The line of a message; `None`: nobody is relayed to.
pub fn line(message: &Message<'_>) -> Option<String> {
    let Message { case, terms, .. } = message;
    let (rights, more) = rights(message.relayed);
    let entry = Entry {
        at: time(message.at),
        queue_id: message.queue_id.to_string(),
        session: case.session.to_string(),
        listener: cut(&case.listener),
        client: message.client.to_string(),
        helo: case.guard.helo().map(cut),
        reverse_path: cut(&message.reverse_path.to_string()),
        recipients: message.recipients,
        rights,
        more,
        octets: message.octets,
        policy: terms.policy.version,
        configuration: terms.settings.fingerprint.to_string(),
    };
    if entry.rights.is_empty() { None } else { serde_json::to_string(&entry).ok() }
}

/// Each right with its recipients, and how many recipients have others.
fn rights(relayed: &[Relayed<'_>]) -> (Vec<Given>, usize) {
    let (mut rights, mut more): (Vec<(&Right, Given)>, usize) = (Vec::new(), 0);
    for one in relayed {
        let named = rights.len();
        match rights.iter_mut().find(|(right, _)| *right == one.right) {
            Some((_, given)) => given.add(*one),
            None if named < RIGHTS_MAX => {
                let mut given = Given::new(one.right);
                given.add(*one);
                rights.push((one.right, given));
            }
            None => more += 1,
        }
    }
    (rights.into_iter().map(|(_, given)| given).collect(), more)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Given {
    fn new(right: &Right) -> Self {
        let evidence = match right {
            Right::Pop { subject, addr, granted_at, expires_at, .. } => Some(Evidence {
                by: cut(&subject.to_string()),
                from: addr.to_string(),
                since: time(*granted_at),
                until: time(*expires_at),
            }),
            Right::Auth { .. } | Right::Network(_) | Right::ClientMap(_) => None,
        };
        Self {
            right: right.code().to_owned(),
            line: right.line().map(|line| cut(&line.to_string())),
            login: right.login().map(cut),
            device: right.device().map(cut),
            evidence,
            recipients: 0,
            to: Vec::new(),
            domains: Vec::new(),
            explain: Vec::new(),
        }
    }

    fn add(&mut self, relayed: Relayed<'_>) {
        let Relayed { path, explain, .. } = relayed;
        self.recipients += 1;
        if self.to.len() < NAMED_MAX {
            self.to.push(cut(&path.to_string()));
            self.explain.extend(explain.map(|id| id.to_string()));
        }
        let domain = path.mailbox().map(|mailbox| cut(&mailbox.host.to_string()));
        if let Some(domain) = domain.filter(|it| self.domains.len() < NAMED_MAX && !self.domains.contains(it)) {
            self.domains.push(domain);
        }
    }
}

/// Which lines to list.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Not older than this: RFC 3339 in UTC sorts as text.
    pub since: Option<String>,
    /// By this account.
    pub login: Option<String>,
    /// From this client.
    pub client: Option<String>,
    /// So many, the newest.
    pub limit: usize,
}

/// What is there of it, the newest last, and how many lines cannot be read. Blocks.
pub fn read(ledger: &Ledger, which: &Which) -> std::io::Result<(Vec<Entry>, u64)> {
    let (mut found, mut unreadable, mut older) = (Vec::new(), 0, false);
    let room = std::cell::Cell::new(true);
    ledger.read(
        || room.get(),
        |line| {
            if found.len() >= which.limit || older {
                room.set(false);
                return;
            }
            match serde_json::from_str::<Entry>(line) {
                Ok(entry) if which.since.as_ref().is_some_and(|since| entry.at < *since) => older = true,
                Ok(entry) if which.fits(&entry) => found.push(entry),
                Ok(_) => {}
                Err(_) if keep::chain::is_beginning(line) => {}
                Err(_) => unreadable += 1,
            }
        },
    )?;
    found.reverse();
    Ok((found, unreadable))
}

impl Which {
    fn fits(&self, entry: &Entry) -> bool {
        let by = |login: &String| entry.rights.iter().any(|given| given.login.as_ref() == Some(login));
        self.login.as_ref().is_none_or(by) && self.client.as_ref().is_none_or(|client| *client == entry.client)
    }
}

/// RFC 3339 in UTC, to the second.
pub fn time(at: SystemTime) -> String {
    Timestamp::try_from(at).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_OCTETS_MAX);
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_recipients_and_long_names_stay_a_short_line() {
        let right = Right::Auth { login: "x".repeat(5_000), device: None };
        let other = Right::Network(guard::ConfigLine::new("sekisho.toml", 7));
        let paths: Vec<ForwardPath> =
            (0..500).map(|n| ForwardPath::parse(&format!("<user{n}@d{n}.example>")).unwrap().path).collect();
        let relayed: Vec<Relayed<'_>> = paths
            .iter()
            .enumerate()
            .map(|(n, path)| Relayed { path, right: if n % 2 == 0 { &right } else { &other }, explain: None })
            .collect();
        let (rights, more) = rights(&relayed);
        assert_eq!((rights.len(), more), (2, 0));
        assert_eq!((rights[0].recipients, rights[0].to.len(), rights[0].domains.len()), (250, 10, 10));
        assert_eq!(rights[1].line.as_deref(), Some("sekisho.toml:7"));
        assert!(serde_json::to_string(&rights).unwrap().len() < 4_000);
    }
}
