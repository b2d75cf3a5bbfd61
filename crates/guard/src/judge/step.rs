//! The steps of each stage, in their order.
//!
//! | wave at RCPT | asks |
//! |---|---|
//! | 1 | who logged in, whose the reverse-path is, what rules say, who answers for the recipient |
//! | 2 | the authorities: SMTP AUTH, relay networks, client map by address and by name, POP login |
//! | 3 | what is held against a stranger, where the recipient is ours |
//! | 4 | whose mail the owner of a recipient of ours takes, the reservation |
//!
//! What needs no look-up and has no quota stands first among the authorities, so that a listed client is neither charged nor
//! touched by a failing state engine.

use smtp::address::{ForwardPath, ReversePath};

use super::choice::{self, Owner};
use super::destination::{self, Destination};
use super::rules::{self, Held};
use super::suspicion::{self, Stranger};
use crate::authority::auth::Ownership;
use crate::authority::{Answer, Pending, RelayGrant, auth, client_map, network, pop};
use crate::case::{Case, Depth, MailJudged, Mailboxes, RulesFrom};
use crate::charge::{Charge, QuotaCharge};
use crate::choice::Proof;
use crate::command::{Command, End, Stage};
use crate::fact::{Fact, Fault};
use crate::facts::{FactName, Facts, HOP_ANSWER, Need};
use crate::hearing::{Counted, Hearing, Pages};
use crate::hosting::{HopAnswer, HostedPath, Hosting};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rule::{Hit, Part};
use crate::trace::{Asked, Found, Trace};
use crate::verdict::Refusal;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Who logged in.
    Login,
    /// Whose the reverse-path is.
    Sender,
    /// What rules say.
    Rules,
    /// Who answers for the recipient.
    Destination,
    /// The authorities.
    Auth,
    Network,
    ClientAddress,
    ClientName,
    Pop,
    /// Nobody gives a right.
    Denied,
    /// What is held against a stranger.
    Suspicion,
    /// Whose mail the recipient's owner takes.
    Choice,
    /// What is to be charged.
    Charge,
    /// Whether the message that is there still has room.
    Quota,
}

const CONNECT: &[&[Step]] = &[&[Step::Login, Step::Rules]];
const MAIL: &[&[Step]] = &[&[Step::Login, Step::Sender, Step::Rules]];
const RCPT: &[&[Step]] = &[
    &[Step::Login, Step::Sender, Step::Rules, Step::Destination],
    &[Step::Auth, Step::Network, Step::ClientAddress, Step::ClientName, Step::Pop, Step::Denied],
    &[Step::Suspicion],
    &[Step::Choice, Step::Charge],
];
/// Where the judgement of a recipient goes on that would be taken.
pub(super) const TAKEN: usize = 2;
const MESSAGE: &[&[Step]] = &[&[Step::Quota]];

/// The steps of a stage, in waves.
pub(super) fn waves(stage: Stage) -> &'static [&'static [Step]] {
    match stage {
        Stage::Connect | Stage::Helo => CONNECT,
        Stage::Mail => MAIL,
        Stage::Rcpt => RCPT,
        Stage::Data => &[],
        Stage::Message => MESSAGE,
    }
}

/// What a step comes to.
pub(super) enum Seen {
    /// Nothing that decides.
    Nothing,
    /// These facts must be known first.
    Need(Vec<Need>),
    /// An authority could not be asked.
    Fault(Fault),
    /// Rules that held.
    Rules(Held),
    /// No.
    Refuse(Refusal),
    /// It is not ours and has no right; what becomes of it is left to the mail server that asks.
    Left(Refusal),
    /// There is nothing more to be judged.
    Done,
    /// The recipient is ours.
    Hosted(HostedPath),
    /// Its owner takes mail of the sender, who is known so.
    SentBy(Proof),
    /// It may be relayed.
    Granted(RelayGrant),
    /// It may, once this is charged.
    Pending(Box<Pending>),
    /// This is to be charged.
    Charges(Vec<Charge>),
}

impl From<Answer> for Seen {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Grant(grant) => Self::Granted(grant),
            Answer::Pending(pending) => Self::Pending(pending),
            Answer::Nothing => Self::Nothing,
            Answer::Fault(fault) => Self::Fault(fault),
            Answer::Need(need) => Self::Need(vec![need]),
            Answer::Refuse(reason) => Self::Refuse(Refusal::new(reason, Part::Recipient)),
        }
    }
}

static NO_FACTS: Facts = Facts::EMPTY;
static NO_SENDER: ReversePath = ReversePath::Null;
static NO_RECIPIENT: ForwardPath = ForwardPath::Postmaster;

/// What a step sees.
pub(super) struct View<'v> {
    pub(super) policy: &'v Policy,
    pub(super) case: &'v Case,
    pub(super) command: &'v Command<'v>,
    pub(super) trace: &'v mut Trace,
}

impl View<'_> {
    pub(super) fn look(mut self, step: Step) -> Seen {
        match step {
            Step::Login => self.login(),
            Step::Sender => self.sender(),
            Step::Rules => self.rules(),
            Step::Destination => self.destination(),
            Step::Auth => {
                let seen = self.auth();
                self.or_left(seen)
            }
            Step::Network => network::ask(&mut self.hearing()).into(),
            Step::ClientAddress => client_map::ask_address(&mut self.hearing()).into(),
            Step::ClientName => client_map::ask_name(&mut self.hearing()).into(),
            Step::Pop => {
                let seen = pop::ask(&mut self.hearing()).into();
                self.or_left(seen)
            }
            Step::Denied => {
                let seen = self.denied();
                self.or_left(seen)
            }
            Step::Suspicion => self.suspicion(),
            Step::Choice => self.choice(),
            Step::Charge => Seen::Charges(self.charges()),
            Step::Quota => Seen::Charges(self.quota_charge_of_message()),
        }
    }

    /// What an authority says of a recipient that is not ours: no right is no refusal where the mail server may have it.
    fn or_left(&self, seen: Seen) -> Seen {
        match seen {
            Seen::Refuse(refusal) if self.case.manner.depth.leaves(refusal.reason) => Seen::Left(refusal),
            seen => seen,
        }
    }

    pub(super) fn hearing(&mut self) -> Hearing<'_> {
        let (case, command) = (self.case, self.command);
        let transaction = case.greeting.transaction.as_ref();
        Hearing {
            policy: &self.policy.relay,
            facts: Pages {
                connection: &case.facts,
                transaction: transaction.map_or(&NO_FACTS, |open| &open.facts),
                command: &command.facts,
                older: transaction.map_or(&NO_FACTS, |open| &open.older),
            },
            client: case.client,
            is_distrusted: case.is_distrusted,
            claims_login: case.greeting.claims_login,
            rules_ask_name: self.policy.rules.ask_client_name,
            reverse_path: transaction.map_or(&NO_SENDER, |open| &open.reverse_path),
            forward_path: command.forward_path.unwrap_or(&NO_RECIPIENT),
            counted: transaction.map_or_else(Counted::default, |open| open.counted),
            trace: self.trace,
        }
    }

    /// An own login is never judged by an older answer, and nothing is judged before it is known.
    fn login(&mut self) -> Seen {
        let hearing = self.hearing();
        match hearing.claims_login.then(|| hearing.need(FactName::Login)).flatten() {
            Some(need) => Seen::Need(vec![need]),
            None => Seen::Nothing,
        }
    }

    /// With a login the reverse-path must be its own (or null). Without one every reverse-path may begin a transaction, since
    /// the recipients may be ours.
    fn sender(&mut self) -> Seen {
        if self.command.stage == Stage::Rcpt && self.case.manner.mail == MailJudged::Before {
            return Seen::Nothing;
        }
        let at_mail = self.command.stage == Stage::Mail;
        let mut hearing = self.hearing();
        let Some(login) = hearing.proved() else {
            if at_mail {
                hearing.trace.note(Asked::Auth, Found::No);
            }
            return Seen::Nothing;
        };
        if at_mail {
            hearing.trace.note(Asked::Auth, Found::Yes);
        }
        let reason = match auth::ownership(login, &mut hearing) {
            Ownership::Owned => return Seen::Nothing,
            Ownership::Need(need) => return Seen::Need(vec![need]),
            Ownership::Foreign => Reason::SenderNotYours,
            Ownership::Fault(_) => Reason::AuthorityUnavailable,
        };
        Seen::Refuse(Refusal::new(reason, Part::Sender))
    }

    fn rules(&mut self) -> Seen {
        let early = matches!(self.command.stage, Stage::Connect | Stage::Helo | Stage::Mail);
        if self.policy.rules.list.is_empty() || (early && self.case.manner.rules == RulesFrom::Rcpt) {
            return Seen::Nothing;
        }
        let of = match self.command.stage {
            Stage::Connect | Stage::Helo => Part::Client,
            Stage::Mail => Part::Sender,
            Stage::Rcpt | Stage::Data | Stage::Message => Part::Recipient,
        };
        let policy = self.policy;
        rules::ask(&policy.rules, of, &mut self.hearing()).map_or_else(Seen::Need, Seen::Rules)
    }

    fn destination(&mut self) -> Seen {
        if self.case.manner.depth == Depth::Rules {
            return Seen::Done;
        }
        let depth = self.case.manner.depth;
        match destination::of(&mut self.hearing()) {
            Destination::Here(hosted) => self.at_hop(hosted),
            Destination::Elsewhere => Seen::Nothing,
            Destination::Need(need) => Seen::Need(vec![need]),
            // The mail server may answer for what nothing here does.
            Destination::Refuse(reason) if reason.is_of_relaying() && depth.leaves(reason) => {
                Seen::Left(Refusal::new(reason, Part::Recipient))
            }
            Destination::Refuse(reason) => Seen::Refuse(Refusal::new(reason, Part::Recipient)),
        }
    }

    /// Where we ourselves hand the mail to the next hop of a relay domain, its word of a moment ago counts: what it does not
    /// have is refused before 250. Unknown, it weighs nothing.
    fn at_hop(&mut self, hosted: HostedPath) -> Seen {
        if self.case.manner.mailboxes != Mailboxes::Ours || hosted.hosting() != Hosting::RelayDomain {
            return Seen::Hosted(hosted);
        }
        let hearing = self.hearing();
        if let Some(need) = hearing.need(FactName::HopAnswer) {
            return Seen::Need(vec![need]);
        }
        match hearing.facts.fact(&HOP_ANSWER) {
            Some(Fact::Known(HopAnswer::HasNot)) => {
                hearing.trace.note(Asked::NextHop, Found::No);
                Seen::Refuse(Refusal::new(Reason::UnknownUser, Part::Recipient))
            }
            Some(Fact::Known(HopAnswer::Away)) => {
                hearing.trace.note(Asked::NextHop, Found::Unknown(Fault::Unavailable("next-hop")));
                Seen::Refuse(Refusal::new(Reason::AuthorityUnavailable, Part::Recipient))
            }
            _ => Seen::Hosted(hosted),
        }
    }

    /// Who logged in binds himself; and where the mail server says who may relay, that is all there is to be judged.
    fn auth(&mut self) -> Seen {
        let only_restricts = matches!(self.case.manner.depth, Depth::Rules | Depth::Hosting);
        let mut hearing = self.hearing();
        let seen = match hearing.login() {
            Some(Fact::Known(Some(login))) => match auth::ask(login, &mut hearing) {
                Answer::Fault(_) => Seen::Refuse(Refusal::new(Reason::AuthorityUnavailable, Part::Recipient)),
                answer => answer.into(),
            },
            Some(Fact::Unknown(fault)) if !only_restricts => {
                hearing.trace.note(Asked::Auth, Found::Unknown(fault));
                return Seen::Refuse(Refusal::new(Reason::AuthorityUnavailable, Part::Recipient));
            }
            _ => Seen::Nothing,
        };
        match seen {
            Seen::Refuse(refusal) if only_restricts && refusal.reason.is_of_relaying() => Seen::Done,
            Seen::Nothing | Seen::Granted(_) | Seen::Pending(_) if only_restricts => Seen::Done,
            seen => seen,
        }
    }

    fn denied(&mut self) -> Seen {
        let reason = match self.command.progress.fault {
            Some(_) => Reason::AuthorityUnavailable,
            None => Reason::RelayDenied,
        };
        Seen::Refuse(Refusal::new(reason, Part::Recipient))
    }

    /// Only strangers' mail to a recipient of ours is looked at: who may relay is no stranger, and what is not ours was
    /// judged by its right.
    fn suspicion(&mut self) -> Seen {
        if self.policy.suspicion.rules.is_empty() || !matches!(self.command.progress.end, End::Hosted(_)) {
            return Seen::Nothing;
        }
        let (policy, case, hits) = (self.policy, self.case, self.command.hits());
        if hits.iter().any(Hit::lets_the_client_through) {
            return Seen::Nothing;
        }
        let stranger = Stranger { conduct: case.conduct, helo: case.helo() };
        match suspicion::ask(&policy.suspicion, &stranger, &mut self.hearing()) {
            Ok(held) => held.map_or(Seen::Nothing, Seen::Rules),
            Err(needs) => Seen::Need(needs),
        }
    }

    /// Only what an account of ours leads to has an owner who chose.
    fn choice(&mut self) -> Seen {
        match &self.command.progress.end {
            End::Hosted(hosted) if hosted.hosting() != Hosting::RelayDomain => {}
            _ => return Seen::Nothing,
        }
        match choice::ask(&mut self.hearing()) {
            Owner::Silent => Seen::Nothing,
            Owner::Takes(proof) => Seen::SentBy(proof),
            Owner::Need(need) => Seen::Need(vec![need]),
            Owner::Refuses(reason) => Seen::Refuse(Refusal::new(reason, Part::Recipient)),
        }
    }

    fn charges(&self) -> Vec<Charge> {
        match &self.command.progress.end {
            End::Open => Vec::new(),
            End::Pending(pending) => vec![pending.charge().clone()],
            End::Hosted(hosted) => {
                let declared = self.case.greeting.transaction.as_ref().and_then(|open| open.declared_octets);
                self.quota_charge(hosted, declared).into_iter().collect()
            }
        }
    }

    /// Asked again once the message is there: a client that told no size, or a smaller one, learns only now that it does not
    /// fit.
    fn quota_charge_of_message(&self) -> Vec<Charge> {
        let Some((arrived, only)) = self.command.arrived.and_then(|arrived| Some((arrived, arrived.only?))) else {
            return Vec::new();
        };
        let declared = self.case.greeting.transaction.as_ref().and_then(|open| open.declared_octets);
        let told = declared.is_some_and(|declared| arrived.octets <= declared.saturating_add(arrived.ours_octets));
        if told { Vec::new() } else { self.quota_charge(only, Some(arrived.octets)).into_iter().collect() }
    }

    fn quota_charge(&self, hosted: &HostedPath, octets: Option<u64>) -> Option<Charge> {
        let ours = self.case.manner.mailboxes == Mailboxes::Ours && hosted.hosting() != Hosting::RelayDomain;
        let mailbox = hosted.mailbox().filter(|_| ours)?.clone();
        Some(Charge::Quota(QuotaCharge { mailbox, octets }))
    }
}
