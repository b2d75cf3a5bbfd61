//! Suspicion: what is held against a stranger's mail to a recipient of ours. Rules in their order, each with all its conditions,
//! add up to a score, and rules about the score decide about the heavier measures. None gives a right, and what cannot be
//! checked weighs nothing (law 2).
//!
//! | file | answers for |
//! |---|---|
//! | `exempt` | clients against whom nothing is held |
//! | `helo` | what a greeting name says |
//! | `dynamic` | names that look like those of an end user's line |
//! | `defaults` | the rules that are there without the operator's doing, with their reasons |

pub mod defaults;
pub mod dynamic;
pub mod exempt;
pub mod helo;

use std::sync::Arc;

use smtp::address::Domain;

use self::exempt::Exempt;
use crate::line::ConfigLine;
use crate::origin::Country;
use crate::reason::Reason;
use crate::reputation::SpfResult;
use crate::rule::{Action, Mode, Part};

/// Longest time for which a reply is held back, in seconds: a client waits minutes (RFC 5321 §4.5.3.2), and so does whoever asks
/// for another mail server.
pub const SLOW_SECS_MAX: u32 = 20;

/// Largest weight of one rule, either way.
pub const WEIGHT_MAX: i32 = 1_000;

/// When a rule may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// One of these DNS lists has the client, or the domain it sends for; an empty list is any of them.
    Listed(Vec<Arc<str>>),
    /// The client's address has no name.
    NoName,
    /// It has one that does not lead back to it.
    NameUnconfirmed,
    /// Its name looks like that of an end user's line, see [`dynamic`].
    DynamicName,
    /// It greets with neither a fully qualified name nor an address literal.
    HeloInvalid,
    /// It greets with our own name or address.
    HeloOurs,
    /// It greets with a name or address that is not its own.
    HeloMismatch,
    /// It sent commands ahead before it was told that it may (RFC 2920 §3.1).
    Pipelined,
    /// The mail comes without TLS.
    PlainText,
    /// SPF says one of these.
    Spf(Vec<SpfResult>),
    /// The null reverse-path.
    NullSender,
    /// No bounce could reach the domain of the reverse-path.
    SenderDomainDead,
    /// The client's address is in one of these countries.
    Country(Vec<Country>),
    /// The client's address belongs to one of these autonomous systems.
    Asn(Vec<u32>),
    /// The server's load is at least so many percent of what it takes.
    Load(u8),
    /// The weights before add up to at least this.
    Score(i32),
}

impl Condition {
    /// Stable word, as a rule of the operator writes it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Listed(_) => "listed",
            Self::NoName => "no-name",
            Self::NameUnconfirmed => "name-unconfirmed",
            Self::DynamicName => "dynamic-name",
            Self::HeloInvalid => "helo-invalid",
            Self::HeloOurs => "helo-ours",
            Self::HeloMismatch => "helo-mismatch",
            Self::Pipelined => "pipelining",
            Self::PlainText => "plain-text",
            Self::Spf(_) => "spf",
            Self::NullSender => "null-sender",
            Self::SenderDomainDead => "sender-domain-dead",
            Self::Country(_) => "country",
            Self::Asn(_) => "asn",
            Self::Load(_) => "load",
            Self::Score(_) => "score",
        }
    }

    /// By which word a rule refuses that goes by it first.
    pub fn refused_as(&self) -> Reason {
        match self {
            Self::Listed(_) => Reason::Listed,
            Self::HeloInvalid | Self::HeloOurs | Self::HeloMismatch => Reason::HeloRefused,
            _ => Reason::Suspicious,
        }
    }

    /// What of a mail it is about.
    pub(crate) fn part(&self) -> Part {
        match self {
            Self::HeloInvalid | Self::HeloOurs | Self::HeloMismatch => Part::Helo,
            Self::Spf(_) | Self::NullSender | Self::SenderDomainDead => Part::Sender,
            _ => Part::Client,
        }
    }
}

/// What a rule does when it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It adds to the score.
    Weigh(i32),
    /// Each list that has the client or the domain adds its own weight, by its own mode.
    WeighAsListed,
    /// It takes a measure. [`Action::Ok`]: nothing more is held against the mail.
    Act(Action),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Stable name for records, logs and the configuration.
    pub name: Arc<str>,
    /// All of these must hold.
    pub when: Vec<Condition>,
    /// None of these may hold, or be unknown.
    pub not: Vec<Condition>,
    /// What it does then.
    pub effect: Effect,
    /// Whether it is in force.
    pub mode: Mode,
    /// Where it is written.
    pub line: ConfigLine,
}

/// All rules of one configuration, with what they go by.
#[derive(Debug, Clone, Default)]
pub struct Suspicion {
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
    /// Clients against whom nothing is held.
    pub exempt: Exempt,
    /// What the DNS lists that are asked are called: records name them.
    pub lists: Vec<Arc<str>>,
    /// Names of this server, which no stranger greets with. Its addresses are told by the machine.
    pub own_names: Vec<Domain>,
}

/// Shared by the policies of one configuration.
pub type SharedSuspicion = Arc<Suspicion>;

impl Rule {
    /// What of a mail it is about: what its first condition is.
    pub(crate) fn part(&self) -> Part {
        self.when.first().map_or(Part::Client, Condition::part)
    }
}
