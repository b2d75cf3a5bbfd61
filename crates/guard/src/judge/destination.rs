//! Where a recipient lives: the form of its path first, then who answers for it, then the relay domains.

use smtp::address::{ForwardPath, Host, Mailbox};

use crate::authority::relay_domain;
use crate::fact::Fact;
use crate::facts::{FactName, HOSTING, Need};
use crate::hearing::Hearing;
use crate::hosting::{HostedPath, Hosting};
use crate::reason::Reason;
use crate::trace::{Asked, Found};

/// Where a recipient lives.
pub(super) enum Destination {
    Here(HostedPath),
    Elsewhere,
    Need(Need),
    Refuse(Reason),
}

pub(super) fn of(hearing: &mut Hearing<'_>) -> Destination {
    let own_literal = match literal(hearing) {
        Literal::Foreign => return Destination::Elsewhere,
        Literal::Own => true,
        Literal::None => false,
    };
    let Some(mailbox) = hearing.policy.directory_mailbox(hearing.forward_path) else {
        // Our literal or <Postmaster>, but no default domain to look into; or a host that is no domain at all.
        let ours = own_literal || matches!(hearing.forward_path, ForwardPath::Postmaster);
        return if ours { Destination::Refuse(Reason::LiteralRefused) } else { Destination::Elsewhere };
    };
    if let Some(need) = hearing.need(FactName::Hosting) {
        return Destination::Need(need);
    }
    let hosting = match hearing.facts.fact(&HOSTING) {
        Some(Fact::Known(hosting)) => *hosting,
        Some(Fact::Unknown(fault)) => {
            hearing.trace.note(Asked::Hosting, Found::Unknown(fault));
            return Destination::Refuse(Reason::AuthorityUnavailable);
        }
        None => return Destination::Refuse(Reason::AuthorityUnavailable),
    };
    hearing.trace.note(Asked::Hosting, Found::Hosting(hosting));
    match settle(hosting, &mailbox, hearing) {
        Hosting::NotHosted if own_literal => Destination::Refuse(Reason::LiteralRefused),
        Hosting::NotHosted => Destination::Elsewhere,
        ours => here(ours, hearing),
    }
}

enum Literal {
    None,
    Own,
    Foreign,
}

fn literal(hearing: &mut Hearing<'_>) -> Literal {
    let Some(Host::Literal(ip)) = hearing.forward_path.mailbox().map(|mailbox| &mailbox.host) else {
        return Literal::None;
    };
    let line = hearing.policy.own_literal(*ip);
    hearing.trace.note_line(Asked::OwnLiteral, line);
    if line.is_some() { Literal::Own } else { Literal::Foreign }
}

/// The directory's word, corrected by the policy: only the policy knows relay domains.
fn settle(hosting: Hosting, mailbox: &Mailbox, hearing: &mut Hearing<'_>) -> Hosting {
    match hosting {
        Hosting::NotHosted | Hosting::RelayDomain => {
            if relay_domain::holds(hearing, mailbox) {
                Hosting::RelayDomain
            } else {
                Hosting::NotHosted
            }
        }
        ours => ours,
    }
}

/// A local part that is itself an address or a route is taken only if a mailbox has exactly that name: an alias, a
/// catch-all or the next hop of a relay domain might read it as the route it looks like.
fn here(hosting: Hosting, hearing: &mut Hearing<'_>) -> Destination {
    let path = hearing.forward_path;
    if let Some(routing) = path.mailbox().and_then(Mailbox::routing) {
        hearing.trace.note(Asked::Routing, Found::Routing(routing));
        if hosting != Hosting::Mailbox {
            return Destination::Refuse(Reason::RoutingRefused);
        }
    }
    match hosting {
        Hosting::UnknownUser => return Destination::Refuse(Reason::UnknownUser),
        Hosting::Misconfigured => return Destination::Refuse(Reason::ConfigurationFault),
        Hosting::DomainOff => return Destination::Refuse(Reason::DomainOff),
        _ => {}
    }
    let own = match hearing.policy.directory_mailbox(path) {
        Some(std::borrow::Cow::Owned(own)) => Some(own),
        _ => None,
    };
    Destination::Here(HostedPath::new(path.clone(), own, hosting))
}
