//! Access maps in force: loaded from the files of other mail servers, asked at each recipient. What they give and where they
//! stand is `load`'s matter; what is found here only takes away.

mod action;
mod databases;
mod load;
mod origins;
mod routes;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use guard::rule::{Action, Condition, Effect, Entry, MapId, Mode, Part, Rule, Rules};
use guard::{ConfigLine, Origin};
use maps::{Kind, Subject, Table, Warning};
use smtp::{ForwardPath, Mailbox, ReversePath};
use sqlmaps::SqlTable;

pub use databases::Answers;
pub use load::{compiled, not_here, read};
pub use routes::Hop;

use self::databases::Said;
use config::{MapEntries, Settings};

/// All maps of one configuration.
#[derive(Debug, Default)]
pub struct Tables {
    /// What they add to who may relay.
    pub entries: MapEntries,
    /// What their own programs would complain about or overlook.
    pub warnings: Vec<Warning>,
    access: Vec<AccessMap>,
    routes: routes::Routes,
    origins: origins::Origins,
}

/// One `[[access]]`.
#[derive(Debug)]
struct AccessMap {
    table: Arc<Table>,
    /// Who is asked instead of the table.
    database: Option<SqlTable>,
    /// `None`: the entries say it themselves, so every part is asked about.
    of: Option<Part>,
    mode: Mode,
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

    /// The rules that the maps are, in the order of the configuration.
    pub fn rules(&self) -> Rules {
        let rule = |(number, map): (usize, &AccessMap)| Rule {
            part: map.of,
            condition: Condition::Entry(MapId(number)),
            effect: Effect::AsWritten,
            mode: map.mode,
            line: ConfigLine::new(map.table.file(), 1),
        };
        let ask_client_name = self.access.iter().any(|map| map.is_of(Part::Client) && map.table.kind() != Kind::Cidr);
        Rules { list: self.access.iter().enumerate().map(rule).collect(), ask_client_name }
    }

    /// Where the mail for an address of a relay domain goes, if a mailertable says so.
    pub fn next_hop(&self, mailbox: &Mailbox) -> Option<Hop> {
        self.routes.hop(&mailbox.to_string())
    }

    /// Where an address is, as the files of `guard.mmdb` have it.
    pub fn origin(&self, address: IpAddr) -> Origin {
        self.origins.of(address)
    }

    /// The entries of files that match, see [`entries_with`](Self::entries_with).
    pub fn entries(&self, subjects: &Subjects<'_>) -> Vec<Entry> {
        self.entries_with(subjects, &Answers::default())
    }

    /// The entries that match, in the order of the parts and, within one, of the configuration. Where a database that counts gave
    /// no answer, the list of its part ends: it might have said so, and what stands behind it is not held against anybody (law 2).
    pub fn entries_with(&self, subjects: &Subjects<'_>, answers: &Answers) -> Vec<Entry> {
        let mut entries = Vec::new();
        subjects.each(|part, subject| {
            for (number, map) in self.access.iter().enumerate().filter(|(_, map)| map.is_of(part)) {
                let found = match &map.database {
                    None => map.find(subject),
                    Some(_) => match answers.of(part, number) {
                        Said::Value(value) => map.meant(&value),
                        Said::Unknown if map.mode == Mode::Enforce => break,
                        Said::Nothing | Said::Unknown => None,
                    },
                };
                entries.extend(found.map(|(action, line)| Entry { part, map: MapId(number), action, line }));
            }
        });
        entries
    }
}

impl<'a> Subjects<'a> {
    /// Who proved himself is not looked up by his address and greeting: a user on a listed dial-up network is still that user.
    pub fn of(case: &'a guard::Case, command: &'a guard::Command<'_>) -> Self {
        let by_client = command.login().is_none();
        Self {
            client: case.client().filter(|_| by_client),
            name: case.client_name().filter(|_| by_client).map(|name| name.domain().as_str()),
            helo: case.helo().filter(|_| by_client),
            reverse_path: case.reverse_path(),
            forward_path: command.forward_path(),
        }
    }
}

impl Subjects<'_> {
    /// Each that is known, by its part.
    fn each(&self, mut tell: impl FnMut(Part, Subject<'_>)) {
        let sender = self.reverse_path.map(|path| match path {
            ReversePath::Null => Cow::Borrowed(""),
            ReversePath::Mailbox(mailbox) => Cow::Owned(mailbox.to_string()),
        });
        let recipient = self.forward_path.map(|path| match path {
            ForwardPath::Postmaster => Cow::Borrowed("postmaster"),
            ForwardPath::Mailbox(mailbox) => Cow::Owned(mailbox.to_string()),
        });
        let asked = [
            (Part::Client, self.client.map(|addr| Subject::Client { addr, name: self.name })),
            (Part::Helo, self.helo.map(Subject::Helo)),
            (Part::Sender, sender.as_deref().map(Subject::Sender)),
            (Part::Recipient, recipient.as_deref().map(Subject::Recipient)),
        ];
        for (part, subject) in asked {
            if let Some(subject) = subject {
                tell(part, subject);
            }
        }
    }
}

impl AccessMap {
    fn is_of(&self, part: Part) -> bool {
        self.of.is_none_or(|only| only == part)
    }

    fn find(&self, subject: Subject<'_>) -> Option<(Action, ConfigLine)> {
        let found = self.table.smtpd(subject)?;
        let action = action::of(self.table.kind(), &found.value)?;
        Some((action, ConfigLine::new(self.table.file(), found.line)))
    }

    /// What a database's value says; the line is that of the question.
    fn meant(&self, value: &str) -> Option<(Action, ConfigLine)> {
        let line = self.table.sql().map_or(0, |map| map.query.line);
        Some((action::of(self.table.kind(), value)?, ConfigLine::new(self.table.file(), line)))
    }
}

#[cfg(test)]
mod tests;
