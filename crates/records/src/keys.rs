//! By what a record is found: its id, session, client's network, login, addresses and their domains, reason. A key is a hash that
//! stays the same from one version of the program to the next, since it is kept on disk.

use std::net::IpAddr;

use guard::Record;
use twox_hash::XxHash64;

use crate::kept::Kept;

/// What a key is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Kind {
    Id = 1,
    Session = 2,
    /// The client's network: [`network`].
    Client = 3,
    Login = 4,
    /// Either path, without brackets.
    Address = 5,
    /// The domain of either path.
    Domain = 6,
    Reason = 7,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u64);

impl Key {
    /// Of a text that is already in the one form in which it is looked for.
    pub(crate) fn new(kind: Kind, text: &str) -> Self {
        Self(XxHash64::oneshot(kind as u64, text.as_bytes()))
    }

    /// Of a client.
    pub(crate) fn of_client(client: IpAddr) -> Self {
        let octets = match network(client) {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        Self(XxHash64::oneshot(Kind::Client as u64, &octets))
    }
}

/// Bits of the network under which a client is found, which is also what is kept of one that is cut.
pub(crate) fn network_bits(client: IpAddr) -> u8 {
    if client.is_ipv4() { 24 } else { 48 }
}

/// The first address of the client's network.
pub(crate) fn network(client: IpAddr) -> IpAddr {
    guard::network_around(client, network_bits(client))
}

/// The texts of a record by which it is found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'r> {
    pub(crate) id: &'r str,
    pub(crate) session: &'r str,
    pub(crate) client: Option<IpAddr>,
    pub(crate) login: Option<&'r str>,
    pub(crate) paths: [Option<&'r str>; 2],
    pub(crate) reason: Option<&'r str>,
}

impl<'r> Named<'r> {
    pub(crate) fn of(record: &'r Record) -> Self {
        Self {
            id: record.id.as_str(),
            session: &record.of.session,
            client: record.client,
            login: record.login.as_deref(),
            paths: [record.reverse_path.as_deref(), record.forward_path.as_deref()],
            reason: record.refused.as_ref().map(|refused| refused.reason),
        }
    }

    pub(crate) fn of_kept(kept: &'r Kept) -> Self {
        Self {
            id: &kept.id,
            session: &kept.of.session,
            client: kept.client,
            login: kept.login.as_deref(),
            paths: [kept.reverse_path.as_deref(), kept.forward_path.as_deref()],
            reason: kept.reason(),
        }
    }

    /// Hands each key over.
    pub(crate) fn keys(&self, mut take: impl FnMut(Key)) {
        take(Key::new(Kind::Id, self.id));
        take(Key::new(Kind::Session, self.session));
        if let Some(client) = self.client {
            take(Key::of_client(client));
        }
        if let Some(login) = self.login {
            take(Key::new(Kind::Login, &login.to_lowercase()));
        }
        for path in self.paths.into_iter().flatten() {
            let address = plain(path);
            take(Key::new(Kind::Address, &address));
            if let Some(domain) = domain(&address) {
                take(Key::new(Kind::Domain, domain));
            }
        }
        if let Some(reason) = self.reason {
            take(Key::new(Kind::Reason, reason));
        }
    }
}

/// An address in the form in which it is looked for: without brackets, in lower case.
pub(crate) fn plain(path: &str) -> String {
    let path = path.trim();
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path).to_lowercase()
}

/// The domain of such an address; `None` of the null path.
pub(crate) fn domain(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}
