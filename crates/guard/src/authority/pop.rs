//! POP-before-SMTP without its holes: bound to address, account, reverse-path, time and quota.
//!
//! Evidence names an account, or, when it came over DRAC, only the server that said that somebody logged in. An account's
//! evidence is for the reverse-paths that belong to it; a server's for those that the policy lists.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use smtp::address::ReversePath;

use super::{AddressRight, Answer, RelayGrant, Right};
use crate::fact::{Charge, Fact, RcptFacts};
use crate::ip::canonical_ip;
use crate::policy::{ConfigLine, DracSenders, PopSpec, RelayPolicy};
use crate::trace::{Asked, Found, Trace};
use crate::verdict::{Need, Reason};

/// Evidence from further ahead than this is none: the clock was set back, and the grant would last too long.
const CLOCK_SLACK: Duration = Duration::from_mins(5);

/// Who told of the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PopSource {
    /// Our own POP3 server.
    Pop3,
    /// The operator, by hand.
    Operator,
    /// Another POP or IMAP server, over DRAC.
    Drac,
    /// Dovecot's authentication reports.
    AuthPolicy,
    /// Another POP or IMAP server that let us check the password.
    DovecotAuth,
    /// A line in the log of another POP or IMAP server: the weakest, since whoever writes there is believed.
    Log,
}

impl PopSource {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Pop3 => "pop3",
            Self::Operator => "operator",
            Self::Drac => "drac",
            Self::AuthPolicy => "auth-policy",
            Self::DovecotAuth => "dovecot-auth",
            Self::Log => "log",
        }
    }

    /// Whether the account may be one that our directory does not know: another server checked the password.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::AuthPolicy | Self::Log)
    }
}

/// Whose login it was, as far as we were told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// This account's.
    Account(String),
    /// Somebody's at this server, which told us over DRAC and does not say whose.
    Server(IpAddr),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(login) => f.write_str(login),
            Self::Server(server) => write!(f, "{server}"),
        }
    }
}

/// That an account logged in by POP from an address, and until when that counts. It permits nothing by itself.
/// ```compile_fail,E0451
/// fn forge(time: std::time::SystemTime) -> guard::PopEvidence {
///     guard::PopEvidence {
///         subject: guard::Subject::Account(String::new()), addr: [192, 0, 2, 7].into(), granted_at: time,
///         expires_at: time, shared: false, source: guard::PopSource::Pop3,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopEvidence {
    subject: Subject,
    addr: IpAddr,
    granted_at: SystemTime,
    expires_at: SystemTime,
    shared: bool,
    source: PopSource,
}

impl PopEvidence {
    /// The caller, a state engine, vouches that `login` authenticated by POP from `addr` at `granted_at`. `addr` is
    /// the key of [`RelayPolicy::pop_key`].
    pub fn attest_pop_login(login: String, addr: IpAddr, granted_at: SystemTime, expires_at: SystemTime) -> Self {
        let (subject, addr) = (Subject::Account(login), canonical_ip(addr));
        Self { subject, addr, granted_at, expires_at, shared: false, source: PopSource::Pop3 }
    }

    /// The caller, a state engine, vouches that a DRAC server that may add told at `granted_at` that somebody logged in
    /// from `addr`.
    pub fn attest_drac_grant(server: IpAddr, addr: IpAddr, granted_at: SystemTime, expires_at: SystemTime) -> Self {
        let (subject, addr) = (Subject::Server(server), canonical_ip(addr));
        Self { subject, addr, granted_at, expires_at, shared: false, source: PopSource::Drac }
    }

    /// With who told, and whether several accounts are alive at the address.
    #[must_use]
    pub fn told_by(mut self, source: PopSource, shared: bool) -> Self {
        self.source = source;
        self.shared = shared;
        self
    }

    /// Whose login it was.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The account in the directory's form, if one is named.
    pub fn login(&self) -> Option<&str> {
        match &self.subject {
            Subject::Account(login) => Some(login),
            Subject::Server(_) => None,
        }
    }

    /// The key under which it was stored.
    pub fn addr(&self) -> IpAddr {
        self.addr
    }

    /// Time of the last login.
    pub fn granted_at(&self) -> SystemTime {
        self.granted_at
    }

    /// From this instant on it is none.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Several accounts are alive at this address.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// For an order that does not depend on the store's.
    fn text(&self) -> String {
        self.subject.to_string()
    }

    /// Who told.
    pub fn source(&self) -> PopSource {
        self.source
    }

    /// Whether it counts at this time.
    pub fn is_alive(&self, now: SystemTime) -> bool {
        now < self.expires_at && self.granted_at <= now + CLOCK_SLACK
    }
}

/// What a POP grant is charged for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeKey {
    /// The evidence's key.
    pub addr: IpAddr,
    /// The evidence's account or server.
    pub subject: Subject,
    /// 1 for the first recipient of a transaction, then 0.
    pub messages: u32,
    /// Always 1: each recipient is judged for itself.
    pub recipients: u32,
}

/// Evidence, then owner, then charge: what is refused is not charged.
pub(super) fn ask(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> Answer {
    match alive(policy, facts, trace).and_then(|(pop, alive)| Ok((pop, fitting(alive, pop, (facts, trace))?))) {
        Ok((pop, evidence)) => charged(evidence, &pop.line, (facts, trace)),
        Err(answer) => answer,
    }
}

/// Which right the evidence at an address comes to when no reverse-path is known.
pub(super) fn of_address(
    policy: &RelayPolicy,
    facts: &RcptFacts<'_>,
    trace: &mut Trace,
) -> Result<AddressRight, Answer> {
    let (pop, mut alive) = alive(policy, facts, trace)?;
    let for_any_sender = matches!(pop.drac_senders, DracSenders::Any) && alive.any(|one| one.login().is_none());
    Ok(if for_any_sender { AddressRight::AnySender } else { AddressRight::SomeSenders })
}

/// The evidence that counts now at the client's address, of which there is some.
fn alive<'p, 'e>(
    policy: &'p RelayPolicy,
    facts: &'e RcptFacts<'_>,
    trace: &mut Trace,
) -> Result<(&'p PopSpec, impl Iterator<Item = &'e PopEvidence> + Clone + use<'e>), Answer> {
    let Some(pop) = &policy.pop else {
        trace.note(Asked::Pop, Found::Skipped);
        return Err(Answer::Nothing);
    };
    let key = policy.pop_key(facts.client_ip);
    let evidence = match &facts.pop {
        None => {
            trace.note(Asked::Pop, Found::Needed);
            return Err(Answer::Need(Need::PopEvidence(key)));
        }
        Some(Fact::Unknown(fault)) => {
            trace.note(Asked::Pop, Found::Unknown(*fault));
            return Err(Answer::Fault(*fault));
        }
        Some(Fact::Known(evidence)) => evidence,
    };
    let now = facts.now;
    let alive = evidence.iter().filter(move |one| one.addr == key && one.is_alive(now));
    let count = u32::try_from(alive.clone().count()).unwrap_or(u32::MAX);
    trace.note(Asked::Pop, Found::Count(count));
    if count == 0 { Err(Answer::Nothing) } else { Ok((pop, alive)) }
}

/// The evidence that carries this reverse-path: that of an account that owns it, else that of a server.
fn fitting<'e>(
    alive: impl Iterator<Item = &'e PopEvidence> + Clone,
    pop: &PopSpec,
    (facts, trace): (&RcptFacts<'_>, &mut Trace),
) -> Result<&'e PopEvidence, Answer> {
    if matches!(facts.reverse_path, ReversePath::Null) {
        trace.note(Asked::Owner, Found::Null);
        return Err(Answer::Refuse(Reason::NullSenderNotGranted));
    }
    let by_accounts = alive.clone().filter(|one| one.login().is_some());
    let of_account =
        if by_accounts.clone().next().is_some() { owner(by_accounts, pop, (facts, trace)) } else { Ok(None) };
    match of_account {
        Ok(Some(evidence)) => return Ok(evidence),
        Err(Answer::Need(need)) => return Err(Answer::Need(need)),
        Ok(None) | Err(_) => {}
    }
    let Some(by_server) = latest(alive.filter(|one| one.login().is_none())) else {
        return Err(of_account.err().unwrap_or(Answer::Refuse(Reason::SenderNotGranted)));
    };
    match (listed_sender(&pop.drac_senders, facts, trace), of_account) {
        (Ok(true), _) => Ok(by_server),
        (Ok(false), of_account) => Err(of_account.err().unwrap_or(Answer::Refuse(Reason::SenderNotGranted))),
        (Err(answer), _) => Err(answer),
    }
}

/// Whether the policy lets a grant that names no account send with this reverse-path.
fn listed_sender(senders: &DracSenders, facts: &RcptFacts<'_>, trace: &mut Trace) -> Result<bool, Answer> {
    let mailbox = match facts.reverse_path {
        ReversePath::Mailbox(mailbox) => mailbox,
        ReversePath::Null => return Ok(false),
    };
    let fits = match senders {
        DracSenders::Any => true,
        DracSenders::Listed(listed) => listed.iter().any(|one| one.matches(mailbox)),
        DracSenders::Hosted => match &facts.reverse_path_hosted {
            None => {
                trace.note(Asked::SenderHosting, Found::Needed);
                return Err(Answer::Need(Need::SenderHosting));
            }
            Some(Fact::Unknown(fault)) => {
                trace.note(Asked::SenderHosting, Found::Unknown(*fault));
                return Err(Answer::Fault(*fault));
            }
            Some(Fact::Known(hosted)) => *hosted,
        },
    };
    trace.note(Asked::SenderHosting, if fits { Found::Yes } else { Found::No });
    Ok(fits)
}

fn latest<'e>(evidence: impl Iterator<Item = &'e PopEvidence>) -> Option<&'e PopEvidence> {
    evidence.max_by(|a, b| a.expires_at.cmp(&b.expires_at).then_with(|| b.text().cmp(&a.text())))
}

/// The evidence whose account owns the reverse-path; of several the one that lasts longest. `None`: no account does.
fn owner<'e>(
    by_accounts: impl Iterator<Item = &'e PopEvidence> + Clone,
    pop: &PopSpec,
    (facts, trace): (&RcptFacts<'_>, &mut Trace),
) -> Result<Option<&'e PopEvidence>, Answer> {
    let owners = match &facts.reverse_path_owners {
        None => {
            trace.note(Asked::Owner, Found::Needed);
            return Err(Answer::Need(Need::Owners));
        }
        Some(Fact::Unknown(fault)) => {
            trace.note(Asked::Owner, Found::Unknown(*fault));
            return Err(Answer::Fault(*fault));
        }
        Some(Fact::Known(owners)) => owners,
    };
    let owns = |one: &&PopEvidence| one.login().is_some_and(|login| owners.iter().any(|owner| owner == login));
    let best = latest(by_accounts.clone().filter(owns));
    trace.note(Asked::Owner, if best.is_some() { Found::Yes } else { Found::No });
    // An address that our directory gives to somebody is his, whatever another server calls its accounts.
    let own = |one: &&PopEvidence| one.source.is_foreign() && is_own_address(one, facts.reverse_path);
    match latest(by_accounts.filter(own)).filter(|_| best.is_none() && owners.is_empty()) {
        Some(foreign) => Ok(listed_sender(&pop.drac_senders, facts, trace)?.then_some(foreign)),
        None => Ok(best),
    }
}

/// An account that another server keeps owns the address that is its name, in a domain that the policy lists.
fn is_own_address(evidence: &PopEvidence, reverse_path: &ReversePath) -> bool {
    let (Some(login), ReversePath::Mailbox(mailbox)) = (evidence.login(), reverse_path) else { return false };
    mailbox.to_string().eq_ignore_ascii_case(login)
}

fn charged(evidence: &PopEvidence, line: &ConfigLine, (facts, trace): (&RcptFacts<'_>, &mut Trace)) -> Answer {
    let (found, answer) = match &facts.charge {
        None => {
            let messages = u32::from(facts.pop_recipients_before == 0);
            let key = ChargeKey { addr: evidence.addr, subject: evidence.subject.clone(), messages, recipients: 1 };
            (Found::Needed, Answer::Need(Need::Charge(key)))
        }
        Some(Fact::Unknown(fault)) => (Found::Unknown(*fault), Answer::Fault(*fault)),
        Some(Fact::Known(Charge::Exceeded)) => {
            (Found::Charge(Charge::Exceeded), Answer::Refuse(Reason::GrantExhausted))
        }
        Some(Fact::Known(Charge::Within)) => (Found::Charge(Charge::Within), grant(evidence, line)),
    };
    trace.note(Asked::Charge, found);
    answer
}

fn grant(evidence: &PopEvidence, line: &ConfigLine) -> Answer {
    let right = Right::Pop {
        subject: evidence.subject.clone(),
        addr: evidence.addr,
        expires_at: evidence.expires_at,
        line: line.clone(),
    };
    Answer::Grant(RelayGrant { right })
}
