//! Files about the domains of recipients: which keys are tried in class `w`, in class `R`, in a mailertable.

use smtp::address::Domain;

use crate::found::Found;
use crate::key::domain_and_parents;
use crate::mistake::shown;
use crate::store::Store;
use crate::subject::Subject;

/// Of class `w`: a domain itself.
pub(crate) fn local_host_names<'a>(store: &'a Store, subject: Subject<'_>) -> Option<Found<'a>> {
    store.look_up(domain_of(subject)?)
}

/// Of class `R`: those below it, too.
pub(crate) fn relay_domains<'a>(store: &'a Store, subject: Subject<'_>) -> Option<Found<'a>> {
    domain_and_parents(domain_of(subject)?).find_map(|key| store.look_up(key))
}

/// The domain itself, `.parent` for each above it, `.` for all; `%1` is what stood before the parent.
pub(crate) fn mailertable<'a>(store: &'a Store, subject: Subject<'_>) -> Option<Found<'a>> {
    let domain = domain_of(subject)?;
    let with = |found: Found<'a>, before: &str| {
        let Found { value, line } = found;
        let value = if value.contains('%') { value.replace("%1", before).into() } else { value };
        Found { value, line }
    };
    if let Some(found) = store.look_up(domain) {
        return Some(with(found, ""));
    }
    for (dot, _) in domain.match_indices('.') {
        if let Some(found) = store.look_up(&domain[dot..]) {
            return Some(with(found, &domain[..dot]));
        }
    }
    store.look_up(".").map(|found| with(found, domain))
}

/// The domain of a recipient; of nobody else.
fn domain_of(subject: Subject<'_>) -> Option<&str> {
    let (Subject::Recipient(path) | Subject::LocalRecipient(path)) = subject else { return None };
    let domain = path.rsplit_once('@')?.1.trim_end_matches('.');
    (!domain.is_empty()).then_some(domain)
}

/// Whether a text is a domain's name.
pub(crate) fn domain_name(text: &str) -> Result<(), String> {
    let bare = text.strip_prefix('.').unwrap_or(text);
    Domain::parse(bare).map(|_| ()).map_err(|_| format!("{} is no domain", shown(text)))
}
