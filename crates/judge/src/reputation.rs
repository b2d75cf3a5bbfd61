//! What lists in DNS and SPF say of a case, as facts. What they do not say is not among it; none of it is held against anybody here.

use ::reputation::SpfQuestion;
use guard::{Fact, Fault, Listing, SpfResult};
use smtp::ReversePath;

use super::bench::Judge;
use super::case::Case;

/// The lists that have the client's address.
pub(super) async fn of_client(judge: Judge<'_>, case: &Case) -> Vec<Listing> {
    match case.client() {
        Some(client) => judge.sources.reputation.lists.client(client).await,
        None => Vec::new(),
    }
}

/// The lists that have the domain that answers for the mail: that of the reverse-path, or the greeting name where that is null.
pub(super) async fn of_domain(judge: Judge<'_>, case: &Case) -> Vec<Listing> {
    match domain(case) {
        Some(domain) => judge.sources.reputation.lists.domain(domain).await,
        None => Vec::new(),
    }
}

/// The lists that have the client's address, for who only wants to know.
pub(super) async fn look_at_client(judge: Judge<'_>, case: &Case) -> Vec<Listing> {
    match case.client() {
        Some(client) => judge.sources.reputation.lists.look_at_client(client).await,
        None => Vec::new(),
    }
}

/// The same of the domain that answers for the mail.
pub(super) async fn look_at_domain(judge: Judge<'_>, case: &Case) -> Vec<Listing> {
    match domain(case) {
        Some(domain) => judge.sources.reputation.lists.look_at_domain(domain).await,
        None => Vec::new(),
    }
}

/// What SPF says of the open transaction.
pub(super) async fn spf(judge: Judge<'_>, case: &Case) -> Fact<SpfResult> {
    let Some(spf) = &judge.sources.reputation.spf else { return Fact::Unknown(Fault::Unavailable("dns")) };
    let (Some(client), Some(reverse_path)) = (case.client(), case.reverse_path()) else {
        return Fact::Known(SpfResult::None);
    };
    let helo = case.guard.helo();
    Fact::Known(spf.check(&SpfQuestion { client, helo, reverse_path }).await)
}

fn domain(case: &Case) -> Option<&str> {
    match case.reverse_path()? {
        ReversePath::Mailbox(_) => case.sender_domain(),
        // An address literal is no domain.
        ReversePath::Null => case.guard.helo().filter(|helo| helo.contains('.') && !helo.starts_with('[')),
    }
}
