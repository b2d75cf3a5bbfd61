//! POP-before-SMTP without its holes: bound to address, account, reverse-path, time and quota.
//!
//! An account's evidence is for the reverse-paths that belong to it; a server's, which came over DRAC and names no account,
//! for those that the policy lists.
#![expect(clippy::result_large_err, reason = "moved once, to the caller that tells it")]

use std::time::SystemTime;

use smtp::address::ReversePath;

use super::{AddressRight, Answer, Pending, Right};
use crate::attested::PopEvidence;
use crate::charge::{Charge, PopCharge};
use crate::fact::Fact;
use crate::facts::{FactName, OWNERS, Of, POP_EVIDENCE, SENDER_HOSTED};
use crate::hearing::Hearing;
use crate::line::ConfigLine;
use crate::never_granted::Named;
use crate::policy::{DracSenders, PopSpec};
use crate::reason::Reason;
use crate::trace::{Asked, Found};

/// The evidence that counts now at the client's address, of which there is some.
#[derive(Clone, Copy)]
struct Alive<'a> {
    all: &'a [PopEvidence],
    pop: &'a PopSpec,
    key: std::net::IpAddr,
    /// By the clock of who keeps the evidence.
    now: SystemTime,
}

impl<'a> Alive<'a> {
    fn iter(self) -> impl Iterator<Item = &'a PopEvidence> + Clone {
        let Self { all, key, now, .. } = self;
        all.iter().filter(move |one| one.addr() == key && one.is_alive(now))
    }

    fn of_accounts(self) -> impl Iterator<Item = &'a PopEvidence> + Clone {
        self.iter().filter(|one| one.login().is_some())
    }

    fn of_servers(self) -> impl Iterator<Item = &'a PopEvidence> + Clone {
        self.iter().filter(|one| one.login().is_none())
    }
}

/// Evidence, then owner; the charge comes last: what is refused is not charged.
pub(crate) fn ask(hearing: &mut Hearing<'_>) -> Answer {
    match alive(hearing).and_then(|alive| Ok((alive.pop, fitting(alive, hearing)?))) {
        Ok((pop, evidence)) => pending(evidence, &pop.line, hearing.counted.pop_recipients),
        Err(answer) => answer,
    }
}

/// Which right the evidence at an address comes to when no reverse-path is known.
pub(crate) fn of_address(hearing: &mut Hearing<'_>) -> Result<AddressRight, Answer> {
    let alive = alive(hearing)?;
    let for_any_sender = matches!(alive.pop.drac_senders, DracSenders::Any) && alive.of_servers().next().is_some();
    Ok(if for_any_sender { AddressRight::AnySender } else { AddressRight::SomeSenders })
}

fn alive<'a>(hearing: &mut Hearing<'a>) -> Result<Alive<'a>, Answer> {
    let (Some(pop), Some(client)) = (&hearing.policy.pop, hearing.client) else {
        hearing.trace.note(Asked::Pop, Found::Skipped);
        return Err(Answer::Nothing);
    };
    // Evidence may be older than what is known of the network, or be for a prefix in which a gateway lies.
    if hearing.policy.never.why_named(client, Named::ByProxy).is_some() {
        hearing.trace.note(Asked::Pop, Found::Skipped);
        return Err(Answer::Nothing);
    }
    let key = hearing.policy.pop_key(client);
    if let Some(need) = hearing.facts.need(FactName::PopEvidence, Of::Address(key)) {
        return Err(Answer::Need(need));
    }
    let Some(read) = hearing.facts.read(&POP_EVIDENCE, Of::Address(key)) else { return Err(Answer::Nothing) };
    let all = match read.fact {
        Fact::Known(all) => all,
        Fact::Unknown(fault) => {
            hearing.trace.note(Asked::Pop, Found::Unknown(fault));
            return Err(Answer::Fault(fault));
        }
    };
    let alive = Alive { all, pop, key, now: read.at };
    let count = u32::try_from(alive.iter().count()).unwrap_or(u32::MAX);
    hearing.trace.note(Asked::Pop, Found::Count(count));
    if count == 0 { Err(Answer::Nothing) } else { Ok(alive) }
}

/// The evidence that carries this reverse-path: that of an account that owns it, else that of a server.
fn fitting<'a>(alive: Alive<'a>, hearing: &mut Hearing<'a>) -> Result<&'a PopEvidence, Answer> {
    if matches!(hearing.reverse_path, ReversePath::Null) {
        hearing.trace.note(Asked::Owner, Found::Null);
        return Err(Answer::Refuse(Reason::NullSenderNotGranted));
    }
    let of_account = if alive.of_accounts().next().is_some() { owner(alive, hearing) } else { Ok(None) };
    match of_account {
        Ok(Some(evidence)) => return Ok(evidence),
        Err(Answer::Need(need)) => return Err(Answer::Need(need)),
        Ok(None) | Err(_) => {}
    }
    let Some(by_server) = latest(alive.of_servers()) else {
        return Err(of_account.err().unwrap_or(Answer::Refuse(Reason::SenderNotGranted)));
    };
    match listed_sender(&alive.pop.drac_senders, hearing) {
        Ok(true) => Ok(by_server),
        Ok(false) => Err(of_account.err().unwrap_or(Answer::Refuse(Reason::SenderNotGranted))),
        Err(answer) => Err(answer),
    }
}

/// Whether the policy lets a grant that names no account send with this reverse-path.
fn listed_sender(senders: &DracSenders, hearing: &mut Hearing<'_>) -> Result<bool, Answer> {
    let mailbox = match hearing.reverse_path {
        ReversePath::Mailbox(mailbox) => mailbox,
        ReversePath::Null => return Ok(false),
    };
    let fits = match senders {
        DracSenders::Any => true,
        DracSenders::Listed(listed) => listed.iter().any(|one| one.matches(mailbox)),
        DracSenders::Hosted => is_hosted_sender(hearing)?,
    };
    hearing.trace.note(Asked::SenderHosting, if fits { Found::Yes } else { Found::No });
    Ok(fits)
}

fn is_hosted_sender(hearing: &mut Hearing<'_>) -> Result<bool, Answer> {
    if let Some(need) = hearing.need(FactName::SenderHosted) {
        return Err(Answer::Need(need));
    }
    match hearing.facts.fact(&SENDER_HOSTED) {
        Some(Fact::Known(hosted)) => Ok(*hosted),
        Some(Fact::Unknown(fault)) => {
            hearing.trace.note(Asked::SenderHosting, Found::Unknown(fault));
            Err(Answer::Fault(fault))
        }
        None => Ok(false),
    }
}

fn latest<'e>(evidence: impl Iterator<Item = &'e PopEvidence>) -> Option<&'e PopEvidence> {
    evidence.max_by(|a, b| a.expires_at().cmp(&b.expires_at()).then_with(|| b.text().cmp(&a.text())))
}

/// The evidence whose account owns the reverse-path; of several the one that lasts longest. `None`: no account does.
fn owner<'a>(alive: Alive<'a>, hearing: &mut Hearing<'a>) -> Result<Option<&'a PopEvidence>, Answer> {
    if let Some(need) = hearing.need(FactName::Owners) {
        return Err(Answer::Need(need));
    }
    let owners = match hearing.facts.fact(&OWNERS) {
        Some(Fact::Known(owners)) => owners,
        Some(Fact::Unknown(fault)) => {
            hearing.trace.note(Asked::Owner, Found::Unknown(fault));
            return Err(Answer::Fault(fault));
        }
        None => return Ok(None),
    };
    let owns = |one: &&PopEvidence| one.login().is_some_and(|login| owners.iter().any(|owner| owner == login));
    let best = latest(alive.of_accounts().filter(owns));
    hearing.trace.note(Asked::Owner, if best.is_some() { Found::Yes } else { Found::No });
    // An address that our directory gives to somebody is his, whatever another server calls its accounts.
    let own = |one: &&PopEvidence| one.source().is_foreign() && is_own_address(one, hearing.reverse_path);
    match latest(alive.of_accounts().filter(own)).filter(|_| best.is_none() && owners.is_empty()) {
        Some(foreign) => Ok(listed_sender(&alive.pop.drac_senders, hearing)?.then_some(foreign)),
        None => Ok(best),
    }
}

/// An account that another server keeps owns the address that is its name, in a domain that the policy lists.
fn is_own_address(evidence: &PopEvidence, reverse_path: &ReversePath) -> bool {
    let (Some(login), ReversePath::Mailbox(mailbox)) = (evidence.login(), reverse_path) else { return false };
    mailbox.to_string().eq_ignore_ascii_case(login)
}

fn pending(evidence: &PopEvidence, line: &ConfigLine, recipients_before: u32) -> Answer {
    let charge = PopCharge {
        addr: evidence.addr(),
        subject: evidence.subject().clone(),
        messages: u32::from(recipients_before == 0),
        recipients: 1,
    };
    let right = Right::Pop {
        subject: evidence.subject().clone(),
        device: evidence.device().map(str::to_owned),
        addr: evidence.addr(),
        granted_at: evidence.granted_at(),
        expires_at: evidence.expires_at(),
        line: line.clone(),
    };
    Answer::Pending(Box::new(Pending { right, charge: Charge::Pop(charge) }))
}
