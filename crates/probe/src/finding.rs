//! One thing that a probe of DNS or TLS looked at, and how it stands.

use serde::Serialize;

use crate::publish::Record;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is there, and in order.
    Good,
    /// It is not there, and it should be.
    Missing,
    /// It is not there, and need not be.
    NotOffered,
    /// It is there, and has a mistake.
    Wrong,
    /// DNS did not answer, or a file could not be fetched.
    NotFoundOut,
    /// It was not looked at.
    NotAsked,
}

impl State {
    /// For a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Missing => "MISSING",
            Self::NotOffered => "not offered",
            Self::Wrong => "WRONG",
            Self::NotFoundOut => "not found out",
            Self::NotAsked => "not looked at",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `MX`, `PTR`, `SPF` …
    pub topic: &'static str,
    /// The name or address that it is about.
    pub subject: String,
    /// How it stands.
    pub state: State,
    /// What there is, and what is wrong with it.
    pub text: String,
    /// What to publish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<Record>,
}

impl Finding {
    pub(crate) fn new(state: State, topic: &'static str, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { topic, subject: subject.into(), state, text: text.into(), publish: None }
    }

    pub(crate) fn good(topic: &'static str, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(State::Good, topic, subject, text)
    }

    pub(crate) fn wrong(topic: &'static str, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(State::Wrong, topic, subject, text)
    }

    pub(crate) fn missing(topic: &'static str, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(State::Missing, topic, subject, text)
    }

    pub(crate) fn not_offered(topic: &'static str, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(State::NotOffered, topic, subject, text)
    }

    pub(crate) fn unknown(topic: &'static str, subject: impl Into<String>, why: &dns::Failure) -> Self {
        let why = crate::asking::clean(why.to_string().as_bytes(), 100);
        Self::new(State::NotFoundOut, topic, subject, format!("DNS did not answer ({why})"))
    }

    /// With what there is to publish.
    pub(crate) fn publish(self, record: Record) -> Self {
        Self { publish: Some(record), ..self }
    }
}

/// The records to publish, a line each: first what should be there, then what could.
pub(crate) fn records(findings: &[Finding]) -> String {
    let section = |head: &str, is: &dyn Fn(State) -> bool| {
        let lines = findings.iter().filter(|it| is(it.state)).filter_map(|it| Some(it.publish.as_ref()?.to_string()));
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() { String::new() } else { format!("\n{head}\n{}\n", lines.join("\n")) }
    };
    let should = section("Publish in the DNS:", &|state| matches!(state, State::Missing | State::Wrong));
    should + &section("Could be published as well:", &|state| !matches!(state, State::Missing | State::Wrong))
}
