//! Who sends in the simulation: each kind with its addresses, names, greeting and manners.
#![expect(clippy::cast_possible_truncation, reason = "the numbers are reckoned to be small")]

use std::net::Ipv4Addr;

use judge::Case;

/// A kind of sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A large sender: fifteen servers that SPF authorizes, each try from another.
    Pool,
    /// The same without SPF; the names are of one domain.
    NamedPool,
    /// A newsletter from a host whose name looks like an end user's line.
    Newsletter,
    /// A small server whose address has no name.
    Nameless,
    /// A small server whose name does not lead back.
    Unconfirmed,
    /// A server with everything right.
    Upright,
    /// Fifty people behind the one address of a relay network.
    Office,
    /// Infected machines; they never come back.
    Botnet,
    /// Guesses recipients from ten thousand addresses, 99 of 100 that nobody has.
    Dictionary,
}

impl Kind {
    /// All, with how many of a thousand sessions each has.
    pub(crate) const ALL: [(Self, u32); 9] = [
        (Self::Pool, 60),
        (Self::NamedPool, 40),
        (Self::Newsletter, 30),
        (Self::Nameless, 20),
        (Self::Unconfirmed, 20),
        (Self::Upright, 80),
        (Self::Office, 50),
        (Self::Botnet, 300),
        (Self::Dictionary, 400),
    ];

    /// Whether its mail is wanted.
    pub(crate) fn is_good(self) -> bool {
        !matches!(self, Self::Botnet | Self::Dictionary)
    }

    fn number(self) -> u8 {
        Self::ALL.iter().position(|(kind, _)| *kind == self).unwrap_or(0) as u8
    }

    fn from_number(number: u8) -> Option<Self> {
        Some(Self::ALL.get(usize::from(number))?.0)
    }

    /// How many senders of the kind there are, and how many servers each has.
    fn counts(self) -> [u32; 2] {
        match self {
            Self::Pool | Self::NamedPool => [40, 15],
            Self::Newsletter | Self::Nameless | Self::Unconfirmed => [60, 1],
            Self::Upright => [300, 1],
            Self::Office => [1, 1],
            Self::Botnet => [20_000, 1],
            Self::Dictionary => [10_000, 1],
        }
    }
}

/// One sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sender {
    pub(crate) kind: Kind,
    number: u32,
}

/// What DNS has of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dns {
    Alive,
    Nothing,
}

/// The address of the office, which is a relay network.
pub(crate) const OFFICE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

impl Sender {
    pub(crate) fn any(kind: Kind, random: u64) -> Self {
        Self { kind, number: (random % u64::from(kind.counts()[0])) as u32 }
    }

    /// The server that makes this try. Addresses are `(100 + kind).x.y.server`; a pool's servers stand in two networks.
    pub(crate) fn address(self, attempt: u32) -> Ipv4Addr {
        if self.kind == Kind::Office {
            return OFFICE;
        }
        let [high, low] = (self.number as u16).to_be_bytes();
        let servers = self.kind.counts()[1];
        let server = if servers > 1 { 1 + (self.number + attempt * 7) % servers } else { 25 };
        Ipv4Addr::new(100 + self.kind.number(), high, low, server as u8 + if server > 8 { 100 } else { 0 })
    }

    pub(crate) fn helo(self, attempt: u32, random: u64) -> String {
        match self.kind {
            Kind::Botnet | Kind::Dictionary if random.is_multiple_of(3) => format!("PC{}", random % 1_000),
            Kind::Office => format!("desk{}", random % 50),
            _ => name_of(self.address(attempt))
                .map_or_else(|| self.domain(), |name| name.trim_end_matches('.').to_owned()),
        }
    }

    pub(crate) fn domain(self) -> String {
        match self.kind {
            Kind::Botnet | Kind::Dictionary => {
                format!("k{}-{}.upright.example", Kind::Upright.number(), self.number % 300)
            }
            Kind::Office => "example.test".to_owned(),
            kind => format!("k{}-{}.upright.example", kind.number(), self.number),
        }
    }

    pub(crate) fn behaves(self, random: u64, case: &mut Case) {
        let plain = !self.kind.is_good() || random.is_multiple_of(10);
        case.noted(if plain { guard::Manners::PlainText } else { guard::Manners::Tls });
        if self.kind == Kind::Botnet && random.is_multiple_of(5) {
            case.noted(guard::Manners::Pipelined);
        }
    }
}

fn sender_at(ip: Ipv4Addr) -> Option<Sender> {
    let [first, high, low, _] = ip.octets();
    let kind = Kind::from_number(first.checked_sub(100)?)?;
    Some(Sender { kind, number: u32::from(u16::from_be_bytes([high, low])) })
}

/// The name of an address, with a dot at its end.
pub(crate) fn name_of(ip: Ipv4Addr) -> Option<String> {
    let sender = sender_at(ip)?;
    let [a, b, c, d] = ip.octets();
    Some(match sender.kind {
        Kind::Nameless => return None,
        Kind::Botnet if sender.number % 4 == 0 => return None,
        Kind::Newsletter | Kind::Botnet | Kind::Dictionary => format!("host-{a}-{b}-{c}-{d}.line.example."),
        Kind::Unconfirmed => format!("mail.lost{}.example.", sender.number),
        _ => format!("out{d}x.{}.", sender.domain()),
    })
}

/// The address of a name.
pub(crate) fn address_of(name: &str) -> Option<Ipv4Addr> {
    if let Some(line) = name.strip_prefix("host-").and_then(|rest| rest.strip_suffix(".line.example.")) {
        return line.replace('-', ".").parse().ok();
    }
    let (host, domain) = name.split_once('.')?;
    let sender = of_domain(domain)?;
    let last: u8 = host.strip_prefix("out")?.strip_suffix('x')?.parse().ok()?;
    let [high, low] = (sender.number as u16).to_be_bytes();
    Some(Ipv4Addr::new(100 + sender.kind.number(), high, low, last))
}

fn of_domain(domain: &str) -> Option<Sender> {
    let (kind, number) = domain.strip_suffix(".upright.example.")?.strip_prefix('k')?.split_once('-')?;
    Some(Sender { kind: Kind::from_number(kind.parse().ok()?)?, number: number.parse().ok()? })
}

/// Whether a domain takes mail.
pub(crate) fn domain(name: &str) -> Dns {
    if of_domain(name).is_some() { Dns::Alive } else { Dns::Nothing }
}

/// A domain's SPF record.
pub(crate) fn spf(name: &str) -> Option<String> {
    let sender = of_domain(name)?;
    let [high, low] = (sender.number as u16).to_be_bytes();
    match sender.kind {
        Kind::Pool | Kind::Upright => Some(format!("v=spf1 ip4:{}.{high}.{low}.0/24 -all", 100 + sender.kind.number())),
        _ => None,
    }
}
