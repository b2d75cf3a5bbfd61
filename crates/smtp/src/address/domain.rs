//! A domain name in the one form that is compared: lower-case A-labels without a trailing dot.

use std::borrow::Cow;
use std::fmt;

/// Longest domain in its normalised form, in octets (RFC 1035 §2.3.4, less the root label).
pub const DOMAIN_OCTETS_MAX: usize = 253;

/// Why a text is not a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Nothing there, or two dots in a row.
    #[error("the domain has an empty label")]
    EmptyLabel,
    /// Longer than [`DOMAIN_OCTETS_MAX`], or a label longer than 63 octets.
    #[error("the domain is too long")]
    TooLong,
    /// A character that no host name has, or a hyphen at the edge of a label.
    #[error("the domain is malformed")]
    Malformed,
    /// Ends in a number: an IP address without its brackets, which some resolvers would follow.
    #[error("an address literal needs brackets")]
    Number,
    /// Refused by UTS #46 (unassigned, disallowed, or a broken A-label).
    #[error("the domain is not a valid internationalised name")]
    Idn,
}

/// A domain name, normalised by UTS #46: equal names are equal values.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads a name in any case, with U-labels or A-labels, with or without one trailing dot. Underscores are let
    /// through: host names with them exist.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if text.len() > 4 * DOMAIN_OCTETS_MAX {
            return Err(DomainError::TooLong);
        }
        let ascii = if text.is_ascii() && !has_a_label(text) {
            Cow::Borrowed(text)
        } else {
            idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY).map_err(|_| DomainError::Idn)?
        };
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        check(name)?;
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// The name in A-labels and lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its first label; `None` for a single label.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.into()))
    }
}

fn has_a_label(text: &str) -> bool {
    text.as_bytes().windows(4).any(|w| w.eq_ignore_ascii_case(b"xn--"))
}

fn check(name: &str) -> Result<(), DomainError> {
    if name.len() > DOMAIN_OCTETS_MAX {
        return Err(DomainError::TooLong);
    }
    let mut last = "";
    for label in name.split('.') {
        check_label(label.as_bytes())?;
        last = label;
    }
    if is_number(last) { Err(DomainError::Number) } else { Ok(()) }
}

fn check_label(label: &[u8]) -> Result<(), DomainError> {
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    match label {
        [] => Err(DomainError::EmptyLabel),
        [b'-', ..] | [.., b'-'] => Err(DomainError::Malformed),
        _ if label.len() > 63 => Err(DomainError::TooLong),
        _ if label.iter().all(inner) => Ok(()),
        _ => Err(DomainError::Malformed),
    }
}

/// Decimal or hexadecimal, as lax parsers of IPv4 addresses take it. No top-level domain looks like this.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|b| b.is_ascii_digit()) || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Domain {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
}
