//! Access maps in force: loaded from the files of other mail servers, asked at each recipient. What they give and where they
//! stand is `load`'s matter; what is found here only takes away.

mod action;
mod load;
mod routes;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use guard::ConfigLine;
use guard::rules::{Hit, Stage};
use maps::{Kind, Subject, Table, Warning};
use smtp::{ForwardPath, Mailbox, ReversePath};

pub(crate) use load::{compiled, not_here, read};
pub use routes::Hop;

use crate::config::{MapEntries, Settings};

/// All maps of one configuration.
#[derive(Debug, Default)]
pub struct Tables {
    /// What they add to who may relay.
    pub entries: MapEntries,
    /// What their own programs would complain about or overlook.
    pub warnings: Vec<Warning>,
    rules: Vec<Rule>,
    routes: routes::Routes,
}

/// One `[[access]]`.
#[derive(Debug)]
struct Rule {
    table: Arc<Table>,
    /// `None`: the entries say it themselves, so every stage is asked.
    at: Option<Stage>,
    observe: bool,
}

/// What is looked up, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Subjects<'a> {
    /// The client.
    pub client: Option<IpAddr>,
    /// Its forward-confirmed name.
    pub name: Option<&'a str>,
    /// What it calls itself.
    pub helo: Option<&'a str>,
    /// The reverse-path.
    pub reverse_path: Option<&'a ReversePath>,
    /// The forward-path.
    pub forward_path: Option<&'a ForwardPath>,
}

impl Tables {
    /// Reads every map that the settings name. A broken line refuses all of it, with file, line and column.
    pub fn load(settings: &Settings) -> Result<Self, Vec<String>> {
        load::tables(settings)
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Where the mail for an address of a relay domain goes, if a mailertable says so.
    pub fn next_hop(&self, mailbox: &Mailbox) -> Option<Hop> {
        self.routes.hop(&mailbox.to_string())
    }

    /// Whether a map may have entries for names of clients.
    pub fn asks_names(&self) -> bool {
        self.rules.iter().any(|rule| rule.is_of(Stage::Client) && rule.table.kind() != Kind::Cidr)
    }

    /// The entries that match, in the order of the stages and, within one, of the configuration.
    pub fn hits(&self, subjects: &Subjects<'_>) -> Vec<Hit> {
        let sender = subjects.reverse_path.map(|path| match path {
            ReversePath::Null => Cow::Borrowed(""),
            ReversePath::Mailbox(mailbox) => Cow::Owned(mailbox.to_string()),
        });
        let recipient = subjects.forward_path.map(|path| match path {
            ForwardPath::Postmaster => Cow::Borrowed("postmaster"),
            ForwardPath::Mailbox(mailbox) => Cow::Owned(mailbox.to_string()),
        });
        let asked = [
            (Stage::Client, subjects.client.map(|addr| Subject::Client { addr, name: subjects.name })),
            (Stage::Helo, subjects.helo.map(Subject::Helo)),
            (Stage::Sender, sender.as_deref().map(Subject::Sender)),
            (Stage::Recipient, recipient.as_deref().map(Subject::Recipient)),
        ];
        let mut hits = Vec::new();
        for (stage, subject) in asked.into_iter().filter_map(|(stage, subject)| Some((stage, subject?))) {
            let of_stage = self.rules.iter().filter(|rule| rule.is_of(stage));
            hits.extend(of_stage.filter_map(|rule| rule.hit(stage, subject)));
        }
        hits
    }
}

impl Rule {
    fn is_of(&self, stage: Stage) -> bool {
        self.at.is_none_or(|at| at == stage)
    }

    fn hit(&self, stage: Stage, subject: Subject<'_>) -> Option<Hit> {
        let found = self.table.smtpd(subject)?;
        let action = action::of(self.table.kind(), &found.value)?;
        Some(Hit { stage, action, line: ConfigLine::new(self.table.file(), found.line), observe: self.observe })
    }
}

#[cfg(test)]
mod tests;
