//! How a judgement came about: what was asked, what was found, which line of the configuration said so.
//! Building one costs no formatting; the text is made when somebody prints it.

use std::fmt;
use std::net::IpAddr;

use smtp::address::Routing;

use crate::authority::Right;
use crate::fact::{Charge, Fault};
use crate::hosting::Hosting;
use crate::policy::ConfigLine;
use crate::rules::Stage;
use crate::verdict::Reason;

/// The question of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Who is connected.
    Client,
    /// Was there a source route.
    SourceRoute,
    /// Is the address literal one of this server's.
    OwnLiteral,
    /// Is the local part itself a route.
    Routing,
    /// Who answers for the mailbox.
    Hosting,
    /// Is it in a relay domain.
    RelayDomain,
    /// Did the session authenticate by SMTP AUTH.
    Auth,
    /// Is the recipient within the device's scope.
    DeviceScope,
    /// Does the reverse-path belong to who asks.
    Owner,
    /// May a grant that names no account send with this reverse-path.
    SenderHosting,
    /// Is the client in a relay network.
    Network,
    /// Is its address in the client map.
    ClientAddress,
    /// Is its forward-confirmed name in the client map.
    ClientName,
    /// Did somebody log in by POP from there lately.
    Pop,
    /// Does it fit the quota of the grant.
    Charge,
    /// Has an access map an entry for it.
    Access(Stage),
    /// The end.
    Verdict,
}

impl Asked {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::SourceRoute => "source-route",
            Self::OwnLiteral => "own-literal",
            Self::Routing => "routing",
            Self::Hosting => "hosting",
            Self::RelayDomain => "relay-domain",
            Self::Auth => "auth",
            Self::DeviceScope => "device-scope",
            Self::Owner => "owner",
            Self::SenderHosting => "sender-hosting",
            Self::Network => "network",
            Self::ClientAddress => "client-address",
            Self::ClientName => "client-name",
            Self::Pop => "pop",
            Self::Charge => "charge",
            Self::Access(Stage::Client) => "access-client",
            Self::Access(Stage::Helo) => "access-helo",
            Self::Access(Stage::Sender) => "access-sender",
            Self::Access(Stage::Recipient) => "access-recipient",
            Self::Verdict => "verdict",
        }
    }
}

/// The answer of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Yes.
    Yes,
    /// No, or nothing.
    No,
    /// Not asked: it could not have helped.
    Skipped,
    /// The null reverse-path.
    Null,
    /// Not known yet: the judgement stops here until it is.
    Needed,
    /// The look-up failed.
    Unknown(Fault),
    /// An address.
    Ip(IpAddr),
    /// Who answers.
    Hosting(Hosting),
    /// Which trick.
    Routing(Routing),
    /// How many live POP logins.
    Count(u32),
    /// The quota's answer.
    Charge(Charge),
    /// Taken as ours.
    Hosted,
    /// Taken by a right.
    Relayed(&'static str),
    /// Refused.
    Refused(Reason),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No => f.write_str("no"),
            Self::Skipped => f.write_str("skipped"),
            Self::Null => f.write_str("null"),
            Self::Needed => f.write_str("needed"),
            Self::Unknown(fault) => write!(f, "unknown:{}:{}", fault.place(), fault.code()),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Hosting(hosting) => f.write_str(hosting.code()),
            Self::Routing(routing) => f.write_str(routing_code(*routing)),
            Self::Count(count) => write!(f, "{count}"),
            Self::Charge(charge) => write!(f, "{charge}"),
            Self::Hosted => f.write_str("hosted"),
            Self::Relayed(right) => write!(f, "relayed:{right}"),
            Self::Refused(reason) => write!(f, "refused:{}", reason.code()),
        }
    }
}

fn routing_code(routing: Routing) -> &'static str {
    match routing {
        Routing::Percent => "percent",
        Routing::Bang => "bang",
        Routing::QuotedAt => "quoted-at",
        Routing::Colon => "colon",
    }
}

/// One question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The question.
    pub asked: Asked,
    /// The answer.
    pub found: Found,
    /// The line of the configuration that decided.
    pub line: Option<ConfigLine>,
}

/// The steps of one judgement, in order. Judging again after a [`crate::Need`] begins it anew, so one value serves a
/// whole session without a further allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    steps: Vec<Step>,
}

impl Trace {
    /// An empty trace.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn begin(&mut self, client: IpAddr) {
        self.steps.clear();
        self.steps.reserve(12);
        self.note(Asked::Client, Found::Ip(client));
    }

    pub(crate) fn note(&mut self, asked: Asked, found: Found) {
        self.steps.push(Step { asked, found, line: None });
    }

    pub(crate) fn note_line(&mut self, asked: Asked, line: Option<&ConfigLine>) {
        let found = if line.is_some() { Found::Yes } else { Found::No };
        self.steps.push(Step { asked, found, line: line.cloned() });
    }

    /// A limit that the caller keeps was asked (a device's messages an hour): within it the verdict stands, beyond it the
    /// recipient is refused.
    pub fn limited(&mut self, charge: Charge) {
        self.note(Asked::Charge, Found::Charge(charge));
        if charge == Charge::Exceeded {
            self.note(Asked::Verdict, Found::Refused(Reason::GrantExhausted));
        }
    }

    pub(crate) fn relayed(&mut self, right: &Right) {
        let step = Step { asked: Asked::Verdict, found: Found::Relayed(right.code()), line: right.line().cloned() };
        self.steps.push(step);
    }
}

/// `asked=network found=yes line=sekisho.toml:12; asked=verdict found=relayed:network line=…`: one line, no blanks
/// within a value.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.steps.iter().enumerate() {
            let gap = if n == 0 { "" } else { "; " };
            write!(f, "{gap}asked={} found={}", step.asked.code(), step.found)?;
            if let Some(line) = &step.line {
                write!(f, " line={line}")?;
            }
        }
        Ok(())
    }
}

/// Eight characters that stand in the reply, the log and the metric of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExplainId([u8; Self::LEN]);

impl ExplainId {
    /// Its length in characters.
    pub const LEN: usize = 8;
    /// Digits and lower-case letters without `i`, `l`, `o`, `u`: an id is read out over the telephone.
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

    /// From random bits, of which 40 are used.
    pub fn from_random(random: u64) -> Self {
        let mut id = [0; Self::LEN];
        for (n, place) in id.iter_mut().enumerate() {
            let digit = (random >> (5 * n)) & 31;
            *place = Self::ALPHABET[usize::try_from(digit).unwrap_or(0)];
        }
        Self(id)
    }

    /// As an operator types it, in either case; `None` if it is no id.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let id: [u8; Self::LEN] = lower.as_bytes().try_into().ok()?;
        id.iter().all(|byte| Self::ALPHABET.contains(byte)).then_some(Self(id))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for ExplainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_trace_is_one_line() {
        let mut trace = Trace::new();
        trace.begin("192.0.2.7".parse().unwrap());
        trace.note(Asked::Hosting, Found::Hosting(Hosting::NotHosted));
        trace.note_line(Asked::Network, Some(&ConfigLine::new("sekisho.toml", 12)));
        trace.note(Asked::Pop, Found::Unknown(Fault::TimedOut("state")));
        assert_eq!(
            trace.to_string(),
            "asked=client found=192.0.2.7; asked=hosting found=not-hosted; asked=network found=yes \
             line=sekisho.toml:12; asked=pop found=unknown:state:timed-out"
        );
    }

    #[test]
    fn a_step_stays_small() {
        assert!(size_of::<Step>() <= 72, "{}", size_of::<Step>());
    }

    proptest! {
        #[test]
        fn an_id_prints_and_parses(random: u64) {
            let id = ExplainId::from_random(random);
            prop_assert_eq!(id.as_str().len(), ExplainId::LEN);
            prop_assert_eq!(ExplainId::parse(&id.to_string().to_uppercase()), Some(id));
        }

        #[test]
        fn parsing_an_id_never_fails_badly(text: String) {
            let _ = ExplainId::parse(&text);
        }
    }
}
