//! A record as it is read back: the counterpart of [`guard::Record`], which can only be written. Nothing in it is trusted: it
//! explains what was decided, and no right can be made of it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One decision, as it was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// [`guard::record::FORM`] when it was made.
    pub form: u16,
    /// The id that reply and log name it by.
    pub id: String,
    /// Where it was made.
    pub of: Origin,
    /// The policy's version; 0: it was not asked.
    pub policy: u64,
    /// When it was judged, in microseconds since 1970.
    pub at: u64,
    /// The code of a [`guard::Stage`], or [`guard::record::LOGIN`].
    pub stage: String,
    /// The client; `None`: nobody knows its address.
    pub client: Option<IpAddr>,
    /// What it called itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// Who logged in, whose login gave the right, or which login was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The device by which he did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// In its brackets (RFC 5321 §4.1.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_path: Option<String>,
    /// In its brackets (RFC 5321 §4.1.1.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_path: Option<String>,
    /// What of the connection was seen without asking anybody.
    #[serde(default)]
    pub seen: Seen,
    /// What else it depended on.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub circumstances: guard::Circumstances,
    /// What was known, with its age.
    #[serde(default)]
    pub facts: Vec<KeptFact>,
    /// Rules that held, those that are only tried among them.
    #[serde(default)]
    pub rules: Vec<KeptHit>,
    /// What weights added up to.
    #[serde(default)]
    pub score: Score,
    /// `proceed`, `hosted`, `relayed`, `refuse` or `defer`.
    pub outcome: String,
    /// What was to be done besides.
    #[serde(default)]
    pub effects: Effects,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The right by which it was relayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
    /// How it came about: see [`Kept::steps`].
    #[serde(default)]
    pub trace: String,
    /// What the client was told, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// What of it is not as it was: the code of a [`crate::Redact`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
}

fn is_nothing(circumstances: &guard::Circumstances) -> bool {
    *circumstances == guard::Circumstances::default()
}

/// Where a decision was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The session's id in the log.
    pub session: String,
    /// The listener's name.
    pub listener: String,
}

/// What was seen of a connection without asking anybody: [`guard::record::Seen`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that was seen")]
pub struct Seen {
    /// In what its interface differs; `None`: it came to no case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manner: Option<Manner>,
    /// It sent commands ahead.
    pub pipelined: bool,
    /// It is known that there is no TLS.
    pub plain_text: bool,
    /// How full the server was, 0 to 100.
    pub load_percent: u8,
    /// Others seem to come by its address.
    pub distrusted: bool,
    /// Somebody was said to have logged in.
    pub claims_login: bool,
    /// `SIZE=` in octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_octets: Option<u64>,
    /// The size of the message that was there, in octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub octets: Option<u64>,
    /// It was asked once more about a recipient that was taken.
    pub again: bool,
}

/// In what the interfaces differ, in the words of [`guard::Manner`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manner {
    /// `connect` or `rcpt`.
    pub rules: String,
    /// `before` or `perhaps`.
    pub mail: String,
    /// `rules`, `hosting`, `granting`, `offering` or `relaying`.
    pub depth: String,
    /// `ours` or `elsewhere`.
    pub mailboxes: String,
}

/// One fact with its age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptFact {
    /// The code of a [`guard::FactName`].
    pub fact: String,
    /// What it is about, where the case alone does not say it: `{"address": IP}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<OfAddress>,
    /// The answer.
    pub value: KeptValue,
    /// When it was looked up, in microseconds since 1970.
    pub at: u64,
}

/// What a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfAddress {
    /// An address, or the first of a network.
    pub address: IpAddr,
}

/// The answer of a look-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptValue {
    /// The value, as the type of the fact writes itself.
    Known(Value),
    /// Who was asked and what was wrong, as `dns:timed-out`.
    Unknown(String),
}

/// A rule that held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptHit {
    /// The rule's name; `None`: it is a map, and the line names the entry.
    #[serde(default)]
    pub rule: Option<String>,
    /// For which part: `client`, `helo`, `sender` or `recipient`.
    pub part: String,
    /// `{"weigh": N}` or `{"act": …}` as [`guard::rule::Action`] writes itself.
    pub outcome: Value,
    /// `FILE:LINE` of the map or of the rule.
    pub line: String,
    /// `enforce` or `observe`.
    pub mode: String,
}

/// What weights added up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Score {
    /// Of the rules in force.
    pub enforced: i32,
    /// Of those that are only tried.
    pub observed: i32,
}

/// What was to be done with a mail that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Throw it away.
    pub discard: bool,
    /// Keep it for a person to look at.
    pub hold: bool,
    /// Header fields to put above it.
    pub prepend: Vec<String>,
    /// Seconds for which the reply was held back.
    pub slow_secs: u32,
}

/// Why something was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// The stable word.
    pub reason: String,
    /// What of the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The words of the rule that said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// What it is about, where no rule and no fact says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// `FILE:LINE`, where no rule and no step names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// The words of a refusal as a map has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Reply code.
    pub code: u16,
    /// Enhanced status code.
    pub enhanced: Option<String>,
    /// Text.
    pub text: String,
}

/// The right by which a recipient was relayed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Right {
    /// Stable word.
    pub code: String,
    /// `FILE:LINE` that gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// One question of a judgement with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'k> {
    /// The code of a [`guard::trace::Asked`].
    pub asked: &'k str,
    /// The answer, as [`guard::trace::Found`] prints.
    pub found: &'k str,
    /// `FILE:LINE` that decided.
    pub line: Option<&'k str>,
}

impl Kept {
    /// When it was judged.
    pub fn time(&self) -> SystemTime {
        time(self.at)
    }

    /// Whether something was refused or put off.
    pub fn is_refusal(&self) -> bool {
        self.refused.is_some()
    }

    /// The reason's stable word, if something was refused.
    pub fn reason(&self) -> Option<&str> {
        self.refused.as_ref().map(|refused| refused.reason.as_str())
    }

    /// How it came about, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.trace.split("; ").filter_map(Step::parse)
    }

    /// A fact that was asked for.
    pub fn fact(&self, code: &str) -> Option<&KeptFact> {
        self.facts.iter().find(|fact| fact.fact == code)
    }
}

impl KeptFact {
    /// When it was looked up.
    pub fn time(&self) -> SystemTime {
        time(self.at)
    }
}

impl<'k> Step<'k> {
    fn parse(text: &'k str) -> Option<Self> {
        let (asked, rest) = text.strip_prefix("asked=")?.split_once(" found=")?;
        // A path of the configuration may hold blanks: it is all that is left.
        let (found, line) = match rest.split_once(" line=") {
            Some((found, line)) => (found, Some(line)),
            None => (rest, None),
        };
        Some(Self { asked, found, line })
    }
}

/// Microseconds since 1970 as a time.
pub fn time(micros: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_micros(micros)).unwrap_or(UNIX_EPOCH)
}

/// A time as microseconds since 1970; 0 for what is before.
pub fn micros(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
