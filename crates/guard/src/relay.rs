//! The judgement at MAIL and at RCPT. Pure and driven by need: it asks for one fact at a time and only for those it
//! must have, always in this order:
//!
//! 1. the form of the forward-path: foreign or own address literal, routing in the local part
//! 2. [`Need::Hosting`]: a hosted recipient needs no grant, and nothing more is asked
//! 3. relay domains (configuration)
//! 4. with a login: [`Need::Owners`] of the reverse-path, the device's scope, and there it ends
//! 5. relay networks and the client map by address (configuration)
//! 6. [`Need::ClientName`], if the client map has names
//! 7. [`Need::PopEvidence`], if POP logins count; then [`Need::Owners`]; last [`Need::Charge`]
//!
//! An unknown fact gives nothing. If nobody later gives a grant, the refusal is temporary (451 4.3.0).

use smtp::address::{ForwardPath, Host, Mailbox};

use crate::authority::auth::{Ownership, ownership};
use crate::authority::{self, Answer, relay_domain};
use crate::fact::{Fact, MailFacts, RcptFacts};
use crate::hosting::{HostedPath, Hosting};
use crate::policy::RelayPolicy;
use crate::trace::{Asked, Found, Trace};
use crate::verdict::{MailJudgement, Need, RcptJudgement, Reason, Recipient};

/// Whether this reverse-path may begin a transaction: with a login it must be the login's own (or null). Without one
/// every reverse-path may, since the recipients may be ours.
pub fn judge_mail(facts: &MailFacts<'_>, trace: &mut Trace) -> MailJudgement {
    trace.begin(facts.client_ip);
    let Some(login) = &facts.login else {
        trace.note(Asked::Auth, Found::No);
        return MailJudgement::Accept;
    };
    trace.note(Asked::Auth, Found::Yes);
    let reason = match ownership(login, facts.reverse_path, facts.reverse_path_owners.as_ref(), trace) {
        Ownership::Owned => return MailJudgement::Accept,
        Ownership::Need => return MailJudgement::Need(Need::Owners),
        Ownership::Foreign => Reason::SenderNotYours,
        Ownership::Fault(_) => Reason::AuthorityUnavailable,
    };
    trace.note(Asked::Verdict, Found::Refused(reason));
    MailJudgement::Refuse(reason.into())
}

/// Whether this recipient may enter the envelope, and by what right.
pub fn judge_rcpt(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> RcptJudgement {
    trace.begin(facts.client_ip);
    if facts.had_source_route {
        trace.note(Asked::SourceRoute, Found::Yes);
    }
    match place(policy, facts, trace) {
        Place::Here(hosting) => hosted(policy, facts, (hosting, trace)),
        Place::Elsewhere => foreign(policy, facts, trace),
        Place::Need => RcptJudgement::Need(Need::Hosting),
        Place::Refuse(reason) => refuse(reason, trace),
    }
}

/// Where a recipient lives.
enum Place {
    Here(Hosting),
    Elsewhere,
    Need,
    Refuse(Reason),
}

fn place(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> Place {
    let own_literal = match literal(policy, facts.forward_path, trace) {
        Literal::Foreign => return Place::Elsewhere,
        Literal::Own => true,
        Literal::None => false,
    };
    let Some(mailbox) = policy.directory_mailbox(facts.forward_path) else {
        // Our literal or <Postmaster>, but no default domain to look into; or a host that is no domain at all.
        let ours = own_literal || matches!(facts.forward_path, ForwardPath::Postmaster);
        return if ours { Place::Refuse(Reason::LiteralRefused) } else { Place::Elsewhere };
    };
    let hosting = match &facts.hosting {
        None => {
            trace.note(Asked::Hosting, Found::Needed);
            return Place::Need;
        }
        Some(Fact::Unknown(fault)) => {
            trace.note(Asked::Hosting, Found::Unknown(*fault));
            return Place::Refuse(Reason::AuthorityUnavailable);
        }
        Some(Fact::Known(hosting)) => *hosting,
    };
    trace.note(Asked::Hosting, Found::Hosting(hosting));
    let told = settle(policy, &mailbox, (hosting, trace));
    match told {
        Hosting::NotHosted if own_literal => Place::Refuse(Reason::LiteralRefused),
        Hosting::NotHosted => Place::Elsewhere,
        ours => here(facts.forward_path, ours, trace),
    }
}

enum Literal {
    None,
    Own,
    Foreign,
}

fn literal(policy: &RelayPolicy, path: &ForwardPath, trace: &mut Trace) -> Literal {
    let Some(Host::Literal(ip)) = path.mailbox().map(|mailbox| &mailbox.host) else { return Literal::None };
    let line = policy.own_literal(*ip);
    trace.note_line(Asked::OwnLiteral, line);
    if line.is_some() { Literal::Own } else { Literal::Foreign }
}

/// The directory's word, corrected by the policy: only the policy knows relay domains.
fn settle(policy: &RelayPolicy, mailbox: &Mailbox, (hosting, trace): (Hosting, &mut Trace)) -> Hosting {
    match hosting {
        Hosting::NotHosted | Hosting::RelayDomain => match relay_domain::find(policy, mailbox, trace) {
            Some(_) => Hosting::RelayDomain,
            None => Hosting::NotHosted,
        },
        ours => ours,
    }
}

/// A local part that is itself an address or a route is taken only if a mailbox has exactly that name: an alias, a
/// catch-all or the next hop of a relay domain might read it as the route it looks like.
fn here(path: &ForwardPath, hosting: Hosting, trace: &mut Trace) -> Place {
    if let Some(routing) = path.mailbox().and_then(Mailbox::routing) {
        trace.note(Asked::Routing, Found::Routing(routing));
        if hosting != Hosting::Mailbox {
            return Place::Refuse(Reason::RoutingRefused);
        }
    }
    match hosting {
        Hosting::UnknownUser => Place::Refuse(Reason::UnknownUser),
        ours => Place::Here(ours),
    }
}

fn hosted(policy: &RelayPolicy, facts: &RcptFacts<'_>, (hosting, trace): (Hosting, &mut Trace)) -> RcptJudgement {
    let own = match policy.directory_mailbox(facts.forward_path) {
        Some(std::borrow::Cow::Owned(own)) => Some(own),
        _ => None,
    };
    trace.note(Asked::Verdict, Found::Hosted);
    RcptJudgement::Accept(Recipient::Hosted(HostedPath::new(facts.forward_path.clone(), own, hosting)))
}

fn foreign(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> RcptJudgement {
    match authority::ask(policy, facts, trace) {
        Answer::Grant(grant) => {
            trace.relayed(grant.right());
            RcptJudgement::Accept(Recipient::Relayed(facts.forward_path.clone(), grant))
        }
        Answer::Need(need) => RcptJudgement::Need(need),
        Answer::Refuse(reason) => refuse(reason, trace),
        Answer::Fault(_) => refuse(Reason::AuthorityUnavailable, trace),
        Answer::Nothing => refuse(Reason::RelayDenied, trace),
    }
}

fn refuse(reason: Reason, trace: &mut Trace) -> RcptJudgement {
    trace.note(Asked::Verdict, Found::Refused(reason));
    RcptJudgement::Refuse(reason.into())
}

#[cfg(test)]
mod tests;
