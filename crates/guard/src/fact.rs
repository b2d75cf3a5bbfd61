//! What a judgement is founded on. A look-up that failed is the fact *unknown*, never a default.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use smtp::address::{ForwardPath, ReversePath};

use crate::authority::{ConfirmedName, Login, PopEvidence};
use crate::hosting::Hosting;

/// The answer of a look-up. It has no default, so that nobody reads "could not ask" as "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// The look-up was answered.
    Known(T),
    /// It was not; nothing may be concluded.
    Unknown(Fault),
}

impl<T> Fact<T> {
    /// The same fact about another thing.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(change(value)),
            Self::Unknown(fault) => Fact::Unknown(fault),
        }
    }

    /// The same fact by reference.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known(value) => Fact::Known(value),
            Self::Unknown(fault) => Fact::Unknown(*fault),
        }
    }
}

impl<T> From<Result<T, Fault>> for Fact<T> {
    fn from(result: Result<T, Fault>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(fault) => Self::Unknown(fault),
        }
    }
}

/// Why something is unknown; the text says where (`"state"`, `"directory"`, `"dns"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer in time.
    #[error("{0}: timed out")]
    TimedOut(&'static str),
    /// The service does not answer or cannot write.
    #[error("{0}: unavailable")]
    Unavailable(&'static str),
    /// An answer that cannot be read.
    #[error("{0}: broken")]
    Broken(&'static str),
    /// The service was closed and will not come back in this process.
    #[error("{0}: closed")]
    Closed(&'static str),
}

impl Fault {
    /// Stable word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::TimedOut(_) => "timed-out",
            Self::Unavailable(_) => "unavailable",
            Self::Broken(_) => "broken",
            Self::Closed(_) => "closed",
        }
    }

    /// Where it happened.
    pub fn place(self) -> &'static str {
        match self {
            Self::TimedOut(at) | Self::Unavailable(at) | Self::Broken(at) | Self::Closed(at) => at,
        }
    }
}

/// Whether one more mail fits the quota of a POP grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// It fits, and has been counted.
    Within,
    /// It does not, and has not been counted.
    Exceeded,
}

/// What is known at MAIL. Facts not asked yet are `None`.
#[derive(Clone)]
pub struct MailFacts<'a> {
    /// The peer, after PROXY or XCLIENT from a listed host.
    pub client_ip: IpAddr,
    /// Name of the listener, for rules and logs.
    pub listener: &'a str,
    /// Who authenticated in this session by SMTP AUTH.
    pub login: Option<Login<'a>>,
    /// RFC 5321 §4.1.1.2.
    pub reverse_path: &'a ReversePath,
    /// Logins that own the reverse-path.
    pub reverse_path_owners: Option<Fact<Vec<String>>>,
}

/// What is known at RCPT. Facts not asked yet are `None`; [`crate::judge_rcpt`] says which one it must have.
#[derive(Clone)]
pub struct RcptFacts<'a> {
    /// The peer, after PROXY or XCLIENT from a listed host.
    pub client_ip: IpAddr,
    /// Name of the listener, for rules and logs.
    pub listener: &'a str,
    /// Time of the judgement; evidence is dead or alive by it.
    pub now: SystemTime,
    /// Who authenticated in this session by SMTP AUTH.
    pub login: Option<Login<'a>>,
    /// RFC 5321 §4.1.1.2.
    pub reverse_path: &'a ReversePath,
    /// RFC 5321 §4.1.1.3, already without a source route.
    pub forward_path: &'a ForwardPath,
    /// The forward-path had a source route (RFC 5321 appendix F.2); it is judged by its final mailbox.
    pub had_source_route: bool,
    /// Recipients of this transaction that a POP grant already carries; the first one is charged as a message.
    pub pop_recipients_before: u32,
    /// Who answers for [`crate::RelayPolicy::directory_mailbox`].
    pub hosting: Option<Fact<Hosting>>,
    /// Logins that own the reverse-path.
    pub reverse_path_owners: Option<Fact<Vec<String>>>,
    /// Whether the domain of the reverse-path is one of ours.
    pub reverse_path_hosted: Option<Fact<bool>>,
    /// The client's forward-confirmed name; inner `None`: it has none.
    pub client_name: Option<Fact<Option<ConfirmedName>>>,
    /// POP logins seen at [`crate::RelayPolicy::pop_key`] of the client.
    pub pop: Option<Fact<Vec<PopEvidence>>>,
    /// The answer to [`crate::Need::Charge`].
    pub charge: Option<Fact<Charge>>,
}

impl<'a> RcptFacts<'a> {
    /// The facts of one recipient before any look-up.
    pub fn new(mail: &MailFacts<'a>, forward_path: &'a ForwardPath, now: SystemTime) -> Self {
        Self {
            client_ip: mail.client_ip,
            listener: mail.listener,
            now,
            login: mail.login,
            reverse_path: mail.reverse_path,
            forward_path,
            had_source_route: false,
            pop_recipients_before: 0,
            hosting: None,
            reverse_path_owners: mail.reverse_path_owners.clone(),
            reverse_path_hosted: None,
            client_name: None,
            pop: None,
            charge: None,
        }
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Within => "within",
            Self::Exceeded => "exceeded",
        })
    }
}
