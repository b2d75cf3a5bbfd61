//! Greylisting: whether a stranger came back (RFC 6647). What is kept is by pool: a sender with many servers comes back from
//! another of them, and passes.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use guard::{Fact, Greylist, PtrName, SpfResult};
use smtp::ForwardPath;
use state::{GreylistKey, GreylistTerms, Greylisted, State};

use super::facts;

/// Who comes back later than this is new: longer than any queue keeps a mail between two attempts.
const WINDOW: Duration = Duration::from_hours(48);
/// How long it is remembered who came back, from its last mail on: a monthly newsletter is among them.
const MEMORY: Duration = Duration::from_hours(36 * 24);
/// Bits of a network whose hosts have names of one domain, of IPv4 and of IPv6.
const NAMED_BITS: [u8; 2] = [16, 32];
/// Bits of a network about which nothing is known.
const NAMELESS_BITS: [u8; 2] = [24, 64];

/// Who sends, as far as it is known.
pub(super) struct Stranger<'a> {
    pub(super) client: IpAddr,
    pub(super) name: Option<&'a PtrName>,
    pub(super) spf: Option<SpfResult>,
    /// `None`: the null reverse-path, or an address literal.
    pub(super) sender_domain: Option<&'a str>,
    pub(super) forward_path: &'a ForwardPath,
}

/// Whether it has waited. To ask is to come.
pub(super) async fn of(state: &State, stranger: &Stranger<'_>, delay: Duration) -> Fact<Greylist> {
    let (pool, recipient) = (pool(stranger), recipient(stranger));
    let key = key(stranger, &pool, &recipient);
    facts::kept(state.greylisted(&key, terms(delay))).await.map(|greylisted| counted(meant(greylisted, delay)))
}

/// The same for who only wants to know.
pub(super) async fn look(state: &State, stranger: &Stranger<'_>, delay: Duration) -> Fact<Greylist> {
    let (pool, recipient) = (pool(stranger), recipient(stranger));
    let key = key(stranger, &pool, &recipient);
    facts::kept(state.look_at_greylist(&key, terms(delay))).await.map(|greylisted| meant(greylisted, delay))
}

fn recipient(stranger: &Stranger<'_>) -> String {
    stranger.forward_path.to_string().to_ascii_lowercase()
}

fn key<'a>(stranger: &Stranger<'a>, pool: &'a str, recipient: &'a str) -> GreylistKey<'a> {
    GreylistKey { pool, sender_domain: stranger.sender_domain.unwrap_or_default(), recipient }
}

fn terms(delay: Duration) -> GreylistTerms {
    GreylistTerms { delay, window: WINDOW, memory: MEMORY }
}

fn meant(greylisted: Greylisted, delay: Duration) -> Greylist {
    match greylisted {
        Greylisted::New => Greylist::New { secs_left: secs(delay) },
        Greylisted::Waiting(left) => Greylist::Waiting { secs_left: secs(left) },
        Greylisted::Passed => Greylist::Passed,
    }
}

/// Counts who came; who only looks counts for nothing.
fn counted(greylist: Greylist) -> Greylist {
    let at = match greylist {
        Greylist::New { .. } => 0,
        Greylist::Waiting { .. } => 1,
        Greylist::Passed => 2,
    };
    keep::tally::COUNTED.greylist.one(at);
    greylist
}

/// In whole seconds, and at least one.
fn secs(left: Duration) -> u32 {
    u32::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
}

/// The servers of which each may come back for any other: all that the sender's domain authorizes; else those of one network
/// whose names are of one domain; else those of a small network. A name that looks like an end user's line makes no pool, since
/// all the provider's customers have such names.
fn pool(stranger: &Stranger<'_>) -> String {
    let mut pool = String::new();
    if let (Some(SpfResult::Pass), Some(domain)) = (stranger.spf, stranger.sender_domain) {
        let _ = write!(pool, "spf {}", domain.to_ascii_lowercase());
        return pool;
    }
    let named =
        stranger.name.and_then(PtrName::confirmed).filter(|name| guard::suspicion::dynamic::pattern(name).is_none());
    let _ = match named.and_then(domain_of) {
        Some(domain) => write!(pool, "name {} {domain}", network(stranger.client, NAMED_BITS)),
        None => write!(pool, "net {}", network(stranger.client, NAMELESS_BITS)),
    };
    pool
}

/// The domain that a host's name is in; a name of two labels may be the domain itself.
fn domain_of(name: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let (_, domain) = name.split_once('.')?;
    Some(if domain.contains('.') { domain.to_owned() } else { name })
}

fn network(ip: IpAddr, bits: [u8; 2]) -> IpAddr {
    guard::network_around(ip, bits[usize::from(ip.is_ipv6())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_of(client: &str, name: Option<&str>, spf: SpfResult) -> String {
        let name = name.map(|name| PtrName::Confirmed(name.into()));
        let recipient = ForwardPath::parse("<alice@example.test>").unwrap().path;
        pool(&Stranger {
            client: client.parse().unwrap(),
            name: name.as_ref(),
            spf: Some(spf),
            sender_domain: Some("Example.org"),
            forward_path: &recipient,
        })
    }

    #[test]
    fn servers_of_one_sender_are_one_pool() {
        let none = SpfResult::None;
        assert_eq!(pool_of("192.0.2.7", None, SpfResult::Pass), "spf example.org");
        let one = pool_of("198.51.100.7", Some("mta7.mail.example.net"), none);
        assert_eq!(one, pool_of("198.51.103.8", Some("mta8.mail.example.net"), none));
        assert_ne!(one, pool_of("203.0.113.8", Some("mta8.mail.example.net"), none), "the name alone is too little");
        assert_eq!(pool_of("192.0.2.7", None, none), pool_of("192.0.2.200", None, none));
        assert_ne!(pool_of("192.0.2.7", None, none), pool_of("192.0.3.7", None, none));
        let dialup =
            |last: u8| pool_of(&format!("203.0.{last}.7"), Some(&format!("p{last}-0-113-203.dyn.example.jp")), none);
        assert_ne!(dialup(1), dialup(2), "customers of one provider are not one sender");
    }

    #[test]
    fn a_name_is_in_its_domain() {
        let table =
            [("mx.example.org.", "example.org"), ("Example.org", "example.org"), ("a.b.example.jp", "b.example.jp")];
        for (name, domain) in table {
            assert_eq!(domain_of(name).as_deref(), Some(domain), "{name}");
        }
        assert_eq!(domain_of("localhost"), None);
    }
}
