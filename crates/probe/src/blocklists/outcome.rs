//! What the lists said, as data and as text.

use std::fmt::Write as _;

use serde::Serialize;

/// What all lists said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was looked for.
    pub subject: String,
    /// Lists that have it and speak against it.
    pub listed: usize,
    /// Lists whose answer counts.
    pub answered: usize,
    /// A row for each list.
    pub lists: Vec<Row>,
}

/// What one list said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Its domain, without a key.
    pub zone: String,
    /// In one word.
    pub state: State,
    /// Why, where it does not count.
    pub note: String,
    /// The listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
}

/// A listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The list's answers.
    pub codes: Vec<String>,
    /// What they mean.
    pub reasons: Vec<String>,
    /// What the list says of it, made fit to be shown.
    pub text: String,
    /// What it means to be listed there.
    pub means: String,
    /// How it is left.
    pub leave: String,
    /// Where it is looked up and left.
    pub page: String,
    /// Whether the cause still stands, from the server's own records; `None`: nobody looked.
    pub cause: Option<String>,
}

/// What a list said, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has it, and speaks against it.
    Listed,
    /// It has it, and speaks for it.
    Allowed,
    /// It has it not.
    NotListed,
    /// It does not answer this resolver.
    Refusing,
    /// It fails its test points: it is gone, was sold, or lists everything.
    Broken,
    /// Nothing came in time.
    NoAnswer,
    /// It has no IPv6 addresses at all.
    #[serde(rename = "no_ipv6")]
    NoIpv6,
    /// It is asked with a key only.
    Keyed,
    /// It is known to be dead, and was not asked.
    Dead,
}

impl State {
    /// For a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Listed => "LISTED",
            Self::Allowed => "allowed",
            Self::NotListed => "not listed",
            Self::Refusing => "refusing",
            Self::Broken => "broken",
            Self::NoAnswer => "no answer",
            Self::NoIpv6 => "no IPv6",
            Self::Keyed => "needs a key",
            Self::Dead => "dead",
        }
    }

    fn counts(self) -> bool {
        matches!(self, Self::Listed | Self::Allowed | Self::NotListed)
    }
}

impl Report {
    /// Those that list it come first, then the others in their order.
    pub(crate) fn new(subject: String, mut lists: Vec<Row>) -> Self {
        lists.sort_by_key(|row| row.state != State::Listed);
        let listed = lists.iter().filter(|row| row.state == State::Listed).count();
        let answered = lists.iter().filter(|row| row.state.counts()).count();
        Self { subject, listed, answered, lists }
    }

    /// Tells of each list that has it whether the cause still stands.
    #[must_use]
    pub fn with_cause(mut self, cause: &str) -> Self {
        let listed = self.lists.iter_mut().filter(|row| row.state == State::Listed);
        for listing in listed.filter_map(|row| row.listing.as_mut()) {
            listing.cause = Some(cause.to_owned());
        }
        self
    }

    /// The header of [`Report::rows`].
    pub const HEADER: [&str; 5] = ["LIST", "ZONE", "STATE", "CODE", "MEANING"];

    /// A row for each list that is alive.
    pub fn rows(&self) -> impl Iterator<Item = [String; 5]> {
        self.lists.iter().filter(|row| row.state != State::Dead).map(|row| {
            let (codes, means) = match &row.listing {
                Some(listing) => (listing.codes.join(" "), listing.reasons.join("; ")),
                None => (String::new(), row.note.clone()),
            };
            [row.name.clone(), row.zone.clone(), row.state.word().to_owned(), codes, means]
        })
    }

    /// What is below the table: each listing with what it means and how it is left, the dead lists, and the sum.
    pub fn told(&self) -> String {
        let mut text = String::new();
        for row in &self.lists {
            if let (State::Listed, Some(listing)) = (row.state, &row.listing) {
                // Writing into a string cannot fail.
                let _ = write!(text, "\n{}", listing.told(row));
            }
        }
        let dead: Vec<String> = self.lists.iter().filter(|row| row.state == State::Dead).map(dead).collect();
        if !dead.is_empty() {
            let _ = write!(
                text,
                "\nNot asked, for they are dead: {}.\nWhoever refuses your mail by one of these has to take it out of their server.\n",
                dead.join(", ")
            );
        }
        let _ = write!(text, "\n{}", self.sum());
        text
    }

    fn sum(&self) -> String {
        match (self.listed, self.answered) {
            (_, 0) => format!("{}: no list gave an answer that counts", self.subject),
            (0, answered) => format!("{}: not listed (lists that answered: {answered})", self.subject),
            (listed, answered) => format!("{}: listed by {listed} (lists that answered: {answered})", self.subject),
        }
    }
}

fn dead(row: &Row) -> String {
    format!("{} ({}, {})", row.name, row.zone, row.note)
}

impl Listing {
    fn told(&self, row: &Row) -> String {
        let mut text = format!("{} ({})\n", row.name, row.zone);
        let lines =
            [("It says", &self.text), ("It means", &self.means), ("To leave", &self.leave), ("Page", &self.page)];
        for (label, line) in lines.into_iter().filter(|(_, line)| !line.is_empty()) {
            let _ = writeln!(text, "  {label}: {line}");
        }
        if let Some(cause) = &self.cause {
            let _ = writeln!(text, "  The cause: {cause}");
        }
        text
    }
}
