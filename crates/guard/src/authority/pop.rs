//! POP-before-SMTP without its holes: bound to address, account, reverse-path, time and quota.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use smtp::address::ReversePath;

use super::{Answer, RelayGrant, Right};
use crate::fact::{Charge, Fact, RcptFacts};
use crate::ip::canonical_ip;
use crate::policy::{ConfigLine, RelayPolicy};
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
}

impl PopSource {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Pop3 => "pop3",
            Self::Operator => "operator",
            Self::Drac => "drac",
            Self::AuthPolicy => "auth-policy",
        }
    }
}

/// That an account logged in by POP from an address, and until when that counts. It permits nothing by itself.
/// ```compile_fail,E0451
/// fn forge(time: std::time::SystemTime) -> guard::PopEvidence {
///     guard::PopEvidence {
///         login: String::new(), addr: [192, 0, 2, 7].into(), granted_at: time, expires_at: time, shared: false,
///         source: guard::PopSource::Pop3,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopEvidence {
    login: String,
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
        let addr = canonical_ip(addr);
        Self { login, addr, granted_at, expires_at, shared: false, source: PopSource::Pop3 }
    }

    /// With who told, and whether several accounts are alive at the address.
    #[must_use]
    pub fn told_by(mut self, source: PopSource, shared: bool) -> Self {
        self.source = source;
        self.shared = shared;
        self
    }

    /// The account in the directory's form.
    pub fn login(&self) -> &str {
        &self.login
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
    /// The evidence's account.
    pub login: String,
    /// 1 for the first recipient of a transaction, then 0.
    pub messages: u32,
    /// Always 1: each recipient is judged for itself.
    pub recipients: u32,
}

/// Evidence, then owner, then charge: what is refused is not charged.
pub(super) fn ask(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> Answer {
    let Some(line) = policy.pop.as_ref().map(|pop| &pop.line) else {
        trace.note(Asked::Pop, Found::Skipped);
        return Answer::Nothing;
    };
    let key = policy.pop_key(facts.client_ip);
    let evidence = match &facts.pop {
        None => {
            trace.note(Asked::Pop, Found::Needed);
            return Answer::Need(Need::PopEvidence(key));
        }
        Some(Fact::Unknown(fault)) => {
            trace.note(Asked::Pop, Found::Unknown(*fault));
            return Answer::Fault(*fault);
        }
        Some(Fact::Known(evidence)) => evidence,
    };
    let alive = || evidence.iter().filter(|one| one.addr == key && one.is_alive(facts.now));
    let count = u32::try_from(alive().count()).unwrap_or(u32::MAX);
    trace.note(Asked::Pop, Found::Count(count));
    if count == 0 {
        return Answer::Nothing;
    }
    match owner(alive(), facts, trace) {
        Ok(evidence) => charged(evidence, line, (facts, trace)),
        Err(answer) => answer,
    }
}

/// The evidence whose account owns the reverse-path; of several the one that lasts longest.
fn owner<'e>(
    alive: impl Iterator<Item = &'e PopEvidence>,
    facts: &RcptFacts<'_>,
    trace: &mut Trace,
) -> Result<&'e PopEvidence, Answer> {
    if matches!(facts.reverse_path, ReversePath::Null) {
        trace.note(Asked::Owner, Found::Null);
        return Err(Answer::Refuse(Reason::NullSenderNotGranted));
    }
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
    let fitting = alive.filter(|one| owners.contains(&one.login));
    let best = fitting.max_by(|a, b| (a.expires_at, &b.login).cmp(&(b.expires_at, &a.login)));
    trace.note(Asked::Owner, if best.is_some() { Found::Yes } else { Found::No });
    best.ok_or(Answer::Refuse(Reason::SenderNotGranted))
}

fn charged(evidence: &PopEvidence, line: &ConfigLine, (facts, trace): (&RcptFacts<'_>, &mut Trace)) -> Answer {
    let (found, answer) = match &facts.charge {
        None => {
            let messages = u32::from(facts.pop_recipients_before == 0);
            let key = ChargeKey { addr: evidence.addr, login: evidence.login.clone(), messages, recipients: 1 };
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
        login: evidence.login.clone(),
        addr: evidence.addr,
        expires_at: evidence.expires_at,
        line: line.clone(),
    };
    Answer::Grant(RelayGrant { right })
}
