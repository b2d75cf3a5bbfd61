//! What one login, device or client sent, and since when it is stopped: what a list or a complainant asks for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use records::Kept;
use serde::Serialize;

use crate::gaps::Gaps;
use crate::standing::{Standing, Stopped};
use crate::tally::Tally;

/// Lines of a list.
const TOP: usize = 10;

/// Whose mail it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A login, with all its devices.
    Login(String),
    /// A client's address.
    Client(IpAddr),
    /// Whoever sent most.
    Everybody,
}

impl Subject {
    /// Whether a decision is about it.
    pub fn is_of(&self, kept: &Kept) -> bool {
        match self {
            Self::Login(login) => kept.login.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(login)),
            Self::Client(client) => kept.client == Some(*client),
            Self::Everybody => true,
        }
    }
}

/// What the records say of it. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Abuse {
    /// Whose.
    pub subject: Subject,
    /// Since when the records were read.
    pub since: u64,
    /// Recipients elsewhere to whom it relayed.
    pub recipients: u64,
    /// The first of them.
    pub first: Option<u64>,
    /// The last.
    pub last: Option<u64>,
    /// By which rights, with how many recipients.
    pub rights: BTreeMap<String, u64>,
    /// With which reverse-paths, most first.
    pub reverse_paths: Vec<(String, u64)>,
    /// From which clients, most first.
    pub clients: Vec<(String, u64)>,
    /// Which logins, most first.
    pub logins: Vec<(String, u64)>,
    /// What was refused of it, by reason.
    pub refused: BTreeMap<String, u64>,
    /// The first refusal after the last mail that was relayed, with its reason and the line that said so: since then it is
    /// stopped.
    pub stopped: Option<Stopped>,
    /// Decisions that are missing.
    #[serde(flatten)]
    pub gaps: Gaps,
}

/// Makes an [`Abuse`].
#[derive(Debug)]
pub struct Looking {
    subject: Subject,
    standing: Standing,
    rights: BTreeMap<String, u64>,
    reverse_paths: Tally,
    clients: Tally,
    logins: Tally,
    refused: BTreeMap<String, u64>,
}

impl Looking {
    /// For its records.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            standing: Standing::default(),
            rights: BTreeMap::new(),
            reverse_paths: Tally::default(),
            clients: Tally::default(),
            logins: Tally::default(),
            refused: BTreeMap::new(),
        }
    }

    /// Looks at one record; they come in the order of their times.
    pub fn see(&mut self, kept: &Kept) {
        if !self.subject.is_of(kept) {
            return;
        }
        match kept.reason() {
            Some(reason) => self.refused(kept, reason),
            None if kept.outcome == "relayed" => self.relayed(kept),
            None => {}
        }
    }

    fn relayed(&mut self, kept: &Kept) {
        self.standing.relayed(kept);
        if let Some(right) = &kept.right {
            *self.rights.entry(right.code.clone()).or_default() += 1;
        }
        if let Some(path) = &kept.reverse_path {
            self.reverse_paths.add(path);
        }
        if let Some(client) = kept.client {
            self.clients.add(&client.to_string());
        }
        if let Some(login) = &kept.login {
            self.logins.add(login);
        }
    }

    fn refused(&mut self, kept: &Kept, reason: &str) {
        *self.refused.entry(reason.to_owned()).or_default() += 1;
        self.standing.refused(kept, reason);
    }

    /// What they say, read since that time (microseconds since 1970), but for what is missing.
    pub fn finish(self, since: u64, gaps: Gaps) -> Abuse {
        Abuse {
            subject: self.subject,
            since,
            recipients: self.standing.recipients,
            first: self.standing.first,
            last: self.standing.last,
            rights: self.rights,
            reverse_paths: self.reverse_paths.top(TOP),
            clients: self.clients.top(TOP),
            logins: self.logins.top(TOP),
            refused: self.refused,
            stopped: self.standing.stopped,
            gaps,
        }
    }
}
