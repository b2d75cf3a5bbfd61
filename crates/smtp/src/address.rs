//! Addresses of RFC 5321 §4.1.2 by their grammar: mailbox, local part, host, and the two paths of an envelope.
//!
//! Past this module no address is a `String`. It understands what a local part hides (percent hack, bang path, an at
//! sign in quotes: [`Mailbox::routing`]) but never follows it; whether that is refused is the guard's matter.

mod domain;
mod path;

pub use domain::{DOMAIN_OCTETS_MAX, Domain, DomainError};
pub use path::{ForwardPath, ForwardPathParse, ReversePath};

use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest local part, in octets after unquoting. RFC 5321 §4.5.3.1.1 says 64 and asks to be generous; bounce and
/// rewriting schemes (VERP, SRS) do go beyond it, and other servers take as much as a path may have.
pub const LOCAL_PART_OCTETS_MAX: usize = 255;

/// Longest greeting that is taken, in octets as they came; a domain has no more.
const GREETING_OCTETS_MAX: usize = 255;

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not UTF-8, so no address of any kind.
    #[error("the address is not UTF-8")]
    Encoding,
    /// A path does not stand in `<` and `>`.
    #[error("the path must stand in angle brackets")]
    Brackets,
    /// A character that a local part cannot have, or an unfinished quoted string.
    #[error("the local part is malformed")]
    LocalPart,
    /// Longer than [`LOCAL_PART_OCTETS_MAX`].
    #[error("the local part is longer than {LOCAL_PART_OCTETS_MAX} octets")]
    LocalPartTooLong,
    /// A local part alone.
    #[error("the address has no domain")]
    NoHost,
    /// The part behind the at sign is no domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// Square brackets without an IP address as RFC 5321 §4.1.3 writes it.
    #[error("the address literal is malformed")]
    Literal,
    /// `@a,@b:` in front of the mailbox is malformed.
    #[error("the source route is malformed")]
    SourceRoute,
    /// A complete address with something behind it.
    #[error("there is text behind the address")]
    Trailing,
}

/// The part of an address that only its host may interpret (RFC 5321 §2.3.11), without its quoting.
///
/// Equality is that of the unquoted text, letter by letter: `"user"@d` is `user@d`, `User@d` is not.
#[derive(Clone)]
pub struct LocalPart {
    text: Box<str>,
    form: LocalForm,
}

/// How a local part was written (RFC 5321 §4.1.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum LocalForm {
    DotString,
    QuotedString,
}

impl LocalPart {
    /// From text that is not quoted, as a directory or a configuration holds it.
    pub fn from_unquoted(text: &str) -> Result<Self, AddressError> {
        Self::checked(text, LocalForm::DotString)
    }

    fn checked(text: &str, form: LocalForm) -> Result<Self, AddressError> {
        if text.len() > LOCAL_PART_OCTETS_MAX {
            return Err(AddressError::LocalPartTooLong);
        }
        if text.chars().any(|c| c.is_control() || (!c.is_ascii() && c.is_whitespace())) {
            return Err(AddressError::LocalPart);
        }
        Ok(Self { text: text.into(), form })
    }

    /// The text without quoting.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text with ASCII letters in lower case, for directories that ignore case.
    pub fn to_ascii_lowercase(&self) -> String {
        self.text.to_ascii_lowercase()
    }

    /// Dots where RFC 5321 has none (`a..b`, `a.`): in use at Japanese carriers, so written as they came.
    fn has_stray_dots(&self) -> bool {
        self.text.starts_with('.') || self.text.ends_with('.') || self.text.contains("..")
    }

    fn needs_quotes(&self) -> bool {
        let was_quoted = self.form == LocalForm::QuotedString;
        self.text.is_empty() || !self.text.chars().all(is_dot_atom) || (was_quoted && self.has_stray_dots())
    }
}

/// What stands unquoted in a local part: `atext`, the dot, and under SMTPUTF8 all beyond ASCII (RFC 6531 §3.3).
fn is_dot_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

impl PartialEq for LocalPart {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for LocalPart {}

impl Hash for LocalPart {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.needs_quotes() {
            return f.write_str(&self.text);
        }
        f.write_str("\"")?;
        for c in self.text.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The part behind the at sign, or what a client says in EHLO.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal; an IPv4-mapped one is its IPv4 address.
    Literal(IpAddr),
    /// Printable ASCII that is neither, perhaps with blanks. Only a greeting has it, a mailbox never.
    Other(String),
}

impl Host {
    /// A domain, or an address literal in square brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('[') { literal(text).map(Self::Literal) } else { Ok(Self::Domain(Domain::parse(text)?)) }
    }

    /// What a client says in EHLO or HELO; old clients say all sorts of things, so only its characters and its length
    /// (255 octets) are bounded.
    pub fn parse_greeting(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        match Self::parse(text) {
            Ok(host) if printable => Some(host),
            _ if printable && (1..=GREETING_OCTETS_MAX).contains(&text.len()) => Some(Self::Other(text.to_owned())),
            _ => None,
        }
    }

    /// The same of clients as they are: copiers that tell their room, computers with a Japanese name. Blanks stay, and of
    /// what is not printable ASCII each octet is written `=XX`, so that no log line and no header field is broken by it.
    pub fn read_greeting(octets: &[u8]) -> Option<Self> {
        let octets = octets.trim_ascii();
        if let Some(host) = str::from_utf8(octets).ok().and_then(Self::parse_greeting) {
            return Some(host);
        }
        let fits = (1..=GREETING_OCTETS_MAX).contains(&octets.len()) && !octets.contains(&0);
        fits.then(|| Self::Other(escaped(octets)))
    }

    /// The domain, if it is one.
    pub fn domain(&self) -> Option<&Domain> {
        if let Self::Domain(domain) = self { Some(domain) } else { None }
    }
}

fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 3);
    for &octet in octets {
        if matches!(octet, b' '..=b'~') {
            text.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "={octet:02X}");
        }
    }
    text
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(IpAddr::V4(addr)) => write!(f, "[{addr}]"),
            Self::Literal(IpAddr::V6(addr)) => write!(f, "[IPv6:{addr}]"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<Domain> for Host {
    fn from(domain: Domain) -> Self {
        Self::Domain(domain)
    }
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3). Other tags are not registered, so they are malformed.
fn literal(text: &str) -> Result<IpAddr, AddressError> {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or(AddressError::Literal)?;
    let tagged = inner.split_at_checked(5).filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    let addr = match tagged {
        Some((_, rest)) => rest.parse::<Ipv6Addr>().map(|addr| IpAddr::V6(addr).to_canonical()),
        None => inner.parse::<Ipv4Addr>().map(IpAddr::V4),
    };
    addr.map_err(|_| AddressError::Literal)
}

/// How a local part is itself an address or a route that some other server would follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Routing {
    /// `user%host`: the percent hack (RFC 1123 §5.2.16).
    Percent,
    /// `host!user`: a UUCP path.
    Bang,
    /// `"user@host"`: an at sign within quotes.
    QuotedAt,
    /// `"host:user"`, `"@a:user"`: DECnet, X.25 gateways, or a source route within quotes.
    Colon,
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Percent => "percent hack",
            Self::Bang => "bang path",
            Self::QuotedAt => "at sign in the local part",
            Self::Colon => "route in the local part",
        })
    }
}

/// An address with both parts (RFC 5321 §4.1.2, `Mailbox`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// Left of the at sign, unquoted.
    pub local_part: LocalPart,
    /// Right of it, normalised.
    pub host: Host,
}

impl Mailbox {
    /// Puts an address together.
    pub fn new(local_part: LocalPart, host: impl Into<Host>) -> Self {
        Self { local_part, host: host.into() }
    }

    /// A whole text as one mailbox, without angle brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match path::mailbox(text)? {
            (mailbox, "") => Ok(mailbox),
            _ => Err(AddressError::Trailing),
        }
    }

    /// Whether the local part names a further hop. A sign counts only if something stands behind it to be routed to:
    /// `100%@shop.example` is a name.
    pub fn routing(&self) -> Option<Routing> {
        let text = self.local_part.as_str();
        // Compatibility forms count as what a later hop may fold them to.
        let kind = |c| match c {
            '@' | '\u{FE6B}' | '\u{FF20}' => Some(Routing::QuotedAt),
            '!' | '\u{FE57}' | '\u{FF01}' => Some(Routing::Bang),
            '%' | '\u{FE6A}' | '\u{FF05}' => Some(Routing::Percent),
            ':' | '\u{FE55}' | '\u{FF1A}' => Some(Routing::Colon),
            _ => None,
        };
        let end = text.len();
        let has = |sign: &Routing| {
            let leads_on = |at: usize, c: char| *sign == Routing::QuotedAt || at + c.len_utf8() < end;
            text.char_indices().any(|(at, c)| kind(c) == Some(*sign) && leads_on(at, c))
        };
        [Routing::QuotedAt, Routing::Bang, Routing::Colon, Routing::Percent].into_iter().find(has)
    }

    /// Whether only SMTPUTF8 can carry it (the host is always kept as A-labels).
    pub fn needs_smtputf8(&self) -> bool {
        !self.local_part.as_str().is_ascii()
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.host)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Mailbox {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
