//! Relay domains: recipients whose mail we pass on for everybody, since the operator answers for them.

use smtp::address::Mailbox;

use super::client_map::NameTable;
use crate::policy::{ConfigLine, RelayPolicy};
use crate::trace::{Asked, Trace};

/// Relay domains with the line of each.
pub(crate) type DomainTable = NameTable;

/// The line that makes the mailbox's domain a relay domain. The policy alone decides; what the directory says about
/// relay domains is not enough.
pub(crate) fn find<'p>(policy: &'p RelayPolicy, mailbox: &Mailbox, trace: &mut Trace) -> Option<&'p ConfigLine> {
    let line = mailbox.host.domain().and_then(|domain| policy.relay_domains.find(domain));
    trace.note_line(Asked::RelayDomain, line);
    line
}
