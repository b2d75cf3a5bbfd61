//! How a judgement came about: what was asked, what was found, which line of the configuration said so.
//! Building one costs no formatting; the text is made when somebody prints it.

use std::fmt;
use std::net::IpAddr;

use smtp::address::Routing;

use crate::charge::Charged;
use crate::choice::Choice;
use crate::fact::Fault;
use crate::hosting::Hosting;
use crate::line::ConfigLine;
use crate::reason::Reason;
use crate::rule::Part;

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
    /// Does its owner take mail of the sender.
    Choice,
    /// Has its next hop no such recipient.
    NextHop,
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
    Access(Part),
    /// What is held against a stranger.
    Suspicion,
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
            Self::Choice => "choice",
            Self::NextHop => "next-hop",
            Self::Auth => "auth",
            Self::DeviceScope => "device-scope",
            Self::Owner => "owner",
            Self::SenderHosting => "sender-hosting",
            Self::Network => "network",
            Self::ClientAddress => "client-address",
            Self::ClientName => "client-name",
            Self::Pop => "pop",
            Self::Charge => "charge",
            Self::Access(Part::Client) => "access-client",
            Self::Access(Part::Helo) => "access-helo",
            Self::Access(Part::Sender) => "access-sender",
            Self::Access(Part::Recipient) => "access-recipient",
            Self::Suspicion => "suspicion",
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
    /// The look-up failed.
    Unknown(Fault),
    /// An address.
    Ip(IpAddr),
    /// Who answers.
    Hosting(Hosting),
    /// What the owner chose.
    Choice(Choice),
    /// Which trick.
    Routing(Routing),
    /// How many live POP logins.
    Count(u32),
    /// What weights in force add up to.
    Score(i32),
    /// The quota's answer.
    Charge(Charged),
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
            Self::Unknown(fault) => write!(f, "unknown:{}:{}", fault.at(), fault.code()),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Hosting(hosting) => f.write_str(hosting.code()),
            Self::Choice(choice) => f.write_str(choice.code()),
            Self::Routing(routing) => f.write_str(routing_code(*routing)),
            Self::Count(count) => write!(f, "{count}"),
            Self::Score(score) => write!(f, "{score}"),
            Self::Charge(charged) => f.write_str(charged.code()),
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

/// The steps of one judgement, in order. It goes on where it stopped for a [`crate::Need`]; nothing is asked twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    steps: Vec<Step>,
}

impl Trace {
    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The trace of a judgement about this client; `None`: nobody knows its address.
    pub(crate) fn of_client(client: Option<IpAddr>) -> Self {
        let mut trace = Self { steps: Vec::with_capacity(12) };
        trace.note(Asked::Client, client.map_or(Found::No, Found::Ip));
        trace
    }

    /// How far it is written.
    pub(crate) fn mark(&self) -> usize {
        self.steps.len()
    }

    /// Takes back what a step wrote that could not be finished.
    pub(crate) fn undo(&mut self, mark: usize) {
        self.steps.truncate(mark);
    }

    pub(crate) fn note(&mut self, asked: Asked, found: Found) {
        self.steps.push(Step { asked, found, line: None });
    }

    pub(crate) fn note_line(&mut self, asked: Asked, line: Option<&ConfigLine>) {
        let found = if line.is_some() { Found::Yes } else { Found::No };
        self.steps.push(Step { asked, found, line: line.cloned() });
    }

    pub(crate) fn note_with(&mut self, asked: Asked, found: Found, line: Option<ConfigLine>) {
        self.steps.push(Step { asked, found, line });
    }

    pub(crate) fn relayed(&mut self, right: &'static str, line: Option<&ConfigLine>) {
        self.steps.push(Step { asked: Asked::Verdict, found: Found::Relayed(right), line: line.cloned() });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_one_line() {
        let mut trace = Trace::of_client("192.0.2.7".parse().ok());
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
}
