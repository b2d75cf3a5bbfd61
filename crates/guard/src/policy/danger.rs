//! What a configuration must not say, since it would relay for strangers: the program does not start.

use std::fmt;

use ipnet::IpNet;

use crate::line::ConfigLine;
use crate::never_granted::Never;

/// One entry that is refused: where, what, why, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    /// Where it is written.
    pub line: ConfigLine,
    /// The key of the configuration.
    pub key: &'static str,
    /// The entry as written.
    pub written: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Neither address nor network.
    NotANetwork,
    /// Bits right of the prefix are set; the network as written.
    HostBits(IpNet),
    /// The whole Internet.
    Everybody,
    /// A public network wider than a site has; the least prefix length.
    TooWide(u8),
    /// Reaches beyond the private network it contains: mostly a typing error. The private network.
    BeyondPrivate(&'static str),
    /// Loopback among other things; it must be named for itself.
    CoversLoopback,
    /// Addresses of a translator behind which anybody may be.
    Translated,
    /// Unspecified, multicast or reserved: no client has it.
    NoClient,
    /// Proves nobody: a gateway by itself, a link-local range.
    Never(Never),
    /// Not a domain name.
    NotAName,
    /// A name under which anybody may register.
    NameTooBroad,
    /// Not between 64 and 128.
    PopPrefix,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANetwork => f.write_str("is neither an address nor a network; write it as 192.0.2.0/28"),
            Self::HostBits(net) => {
                let (network, client) = (net.trunc(), net.addr());
                write!(f, "has bits right of its prefix; write {network} for the network or {client} for one client")
            }
            Self::Everybody => f.write_str("is everybody: an open relay; write the networks of your own clients"),
            Self::TooWide(bits) => {
                write!(f, "holds strangers too; write the networks of your own clients, none wider than /{bits}")
            }
            Self::BeyondPrivate(private) => {
                write!(f, "reaches far beyond the private network {private}; write {private} or less")
            }
            Self::CoversLoopback => f.write_str(
                "covers loopback, where every proxy and container of this host appears; name ::1 itself if meant",
            ),
            Self::Translated => f.write_str(
                "is a translator's range, behind which is all of IPv4; write single addresses, none wider than /120",
            ),
            Self::NoClient => f.write_str("is no client's address (unspecified, multicast or reserved); remove it"),
            Self::Never(never) => {
                write!(f, "{never}; {}", never.remedy().unwrap_or("remove it"))
            }
            Self::NotAName => f.write_str("is not a domain name; write it as mail.example.com or .example.com"),
            Self::NameTooBroad => {
                f.write_str("is a name under which anybody may register; write the whole name of your own domain")
            }
            Self::PopPrefix => f.write_str("is not between 64 and 128; leave it out to grant the address alone"),
        }
    }
}

/// `sekisho.toml:12: relay.networks: "0.0.0.0/0" is everybody: …`
impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {:?} {}", self.line, self.key, self.written, self.why)
    }
}

impl std::error::Error for Danger {}
