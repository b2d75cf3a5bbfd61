//! Guessing of recipients: how many names that nobody has a client may try, over all its sessions and interfaces, before it
//! learns nothing more.
//!
//! A client that has tried too many is told "later" for every recipient, since one who is told "later" for the wrong ones only
//! still learns which those are. What it tries is counted once it is known that nobody has the name, and before it is told so:
//! tries made at once over many connections come to the same number as one after the other. Its network and the domain that
//! it sends for have limits too, but of them many are part who do no harm, and anybody can name a domain: when such a limit
//! is used up, it is who has just tried a name that nobody has who gets no further place.
//!
//! This is suspicion: what cannot be counted is not limited.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use guard::{Outcome, Reason};
use state::gcra::Rate;
use state::{Charge, Offence, RateCharge, RateKey, Reserved};
use tracing::{info, warn};

use super::bench::Judge;
use super::case::{Case, Login};
use super::offence;

/// The window of the limits `limits.unknown_recipients_…`.
const HOUR: Duration = Duration::from_hours(1);
/// A network's first bits: about as many addresses as one customer of a provider gets at a time.
const IPV4_BITS: u8 = 24;
const IPV6_BITS: u8 = 48;
/// Where no address is told.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Whether the client may try one more recipient.
pub(super) async fn may_try(judge: Judge<'_>, case: &Case) -> bool {
    judge.sources.state.has_room(&of_who(judge, case)).await.unwrap_or_else(|error| {
        warn!(session = %case.session, %error, "recipients uncounted");
        true
    })
}

/// Counts a recipient whom nobody has. False: others were quicker, and the client is to be told no more than the rest.
pub(super) async fn may_be_told(judge: Judge<'_>, case: &Case, outcome: &Outcome) -> bool {
    if outcome.refusal().is_none_or(|refusal| refusal.reason != Reason::UnknownUser) {
        return true;
    }
    if !has_counted(judge, &of_who(judge, case)).await {
        return false;
    }
    offended(judge, case).await;
    if matches!(case.login, Login::Nobody) {
        count_beside(judge, case).await;
    }
    true
}

/// Counts for the network and the sender domain.
async fn count_beside(judge: Judge<'_>, case: &Case) {
    let limits = &judge.terms.settings.limits;
    let network = RateCharge {
        key: RateKey::UnknownFromNetwork(network(client(case))),
        rate: Rate::per(HOUR, limits.unknown_recipients_per_network),
        cost: 1,
    };
    let by_domain = case.sender_domain().map(|domain| RateCharge {
        key: RateKey::UnknownForDomain(domain),
        rate: Rate::per(HOUR, limits.unknown_recipients_per_sender_domain),
        cost: 1,
    });
    for charge in [Some(network), by_domain].into_iter().flatten() {
        if !has_counted(judge, &charge).await {
            let mut whole = of_who(judge, case);
            whole.cost = whole.rate.burst();
            // Not counted is not limited.
            let _ = judge.sources.state.count(&whole).await;
        }
    }
}

/// Each try counts for a ban, also those that are told "later": who goes on is no mail server that has an old list.
async fn offended(judge: Judge<'_>, case: &Case) {
    if let (None, Some(addr)) = (case.login(), case.client()) {
        let client = offence::Client { session: case.session, listener: &case.listener, addr };
        offence::count(judge.sources, client, Offence::UnknownRecipient, 1).await;
    }
}

/// A client may try no more. Told to the log once an hour for each.
pub(super) async fn tell(judge: Judge<'_>, case: &Case) {
    offended(judge, case).await;
    let told = RateCharge { key: RateKey::UnknownTold(client(case)), rate: Rate::per(HOUR, 1), cost: 1 };
    if has_counted(judge, &told).await {
        info!(
            session = %case.session,
            listener = &*case.listener,
            client = case.client().map(tracing::field::display),
            login = case.login().map(tracing::field::debug),
            reverse_path = case.reverse_path().map(|path| tracing::field::debug(path.to_string())),
            "recipients guessed"
        );
    }
}

/// Counts one more, if there is room.
async fn has_counted(judge: Judge<'_>, charge: &RateCharge<'_>) -> bool {
    match judge.sources.state.reserve(&[Charge::Rate(*charge)]).await.map(|answer| answer.value) {
        Ok(Reserved::Within(place)) => place.commit().await.is_ok(),
        Ok(Reserved::NoRoom(_)) => false,
        Err(_) => true,
    }
}

/// A login has a limit of its own, wherever it comes from: its owner's programs write to old addresses.
fn of_who<'c>(judge: Judge<'_>, case: &'c Case) -> RateCharge<'c> {
    let limits = &judge.terms.settings.limits;
    let (key, count) = match case.login() {
        Some(login) => (RateKey::UnknownByLogin(login), limits.unknown_recipients_per_login),
        None => (RateKey::UnknownFrom(client(case)), limits.unknown_recipients_per_client),
    };
    RateCharge { key, rate: Rate::per(HOUR, count), cost: 1 }
}

/// An IPv4 address, or the first address of an IPv6 /64.
pub(super) fn client(case: &Case) -> IpAddr {
    guard::cut_ipv6(case.client().unwrap_or(NOWHERE), 64)
}

fn network(client: IpAddr) -> IpAddr {
    guard::network_around(client, if client.is_ipv4() { IPV4_BITS } else { IPV6_BITS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_a_24_and_a_48() {
        let table = [("192.0.2.7", "192.0.2.0"), ("2001:db8:1:2::", "2001:db8:1::"), ("127.0.66.6", "127.0.66.0")];
        for (client, expected) in table {
            assert_eq!(network(client.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{client}");
        }
    }
}
