//! Relay domains: recipients whose mail we pass on for everybody, since the operator answers for them.

use smtp::address::Mailbox;

use crate::hearing::Hearing;
use crate::trace::Asked;

/// Whether the mailbox's domain is a relay domain. The policy alone decides; what the directory says about relay domains is
/// not enough.
pub(crate) fn holds(hearing: &mut Hearing<'_>, mailbox: &Mailbox) -> bool {
    let line = mailbox.host.domain().and_then(|domain| hearing.policy.relay_domains.find(domain));
    hearing.trace.note_line(Asked::RelayDomain, line);
    line.is_some()
}
