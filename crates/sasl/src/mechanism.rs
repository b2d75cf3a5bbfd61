//! The mechanisms by name, strongest first.

use std::fmt;

/// A SASL mechanism that this crate speaks. The order of the variants is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// SCRAM-SHA-256 bound to the TLS channel by `tls-exporter` (RFC 7677, RFC 9266).
    ScramSha256Plus,
    /// SCRAM-SHA-256 (RFC 5802, RFC 7677).
    ScramSha256,
    /// CRAM-MD5 (RFC 2195), for devices that know nothing better.
    CramMd5,
    /// PLAIN (RFC 4616): the password in clear.
    Plain,
    /// LOGIN (never standardised): the password in clear, in two steps.
    Login,
}

impl Mechanism {
    /// All mechanisms, strongest first: the order in which a server lists them.
    pub const ALL: [Self; 5] = [Self::ScramSha256Plus, Self::ScramSha256, Self::CramMd5, Self::Plain, Self::Login];

    /// The registered name, as it stands in `AUTH`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Reads a name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Whether the password itself travels, so that only TLS keeps it from a listener on the line.
    pub const fn is_plaintext(self) -> bool {
        matches!(self, Self::Plain | Self::Login)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Mechanism;

    #[test]
    fn names_are_read_in_any_case_and_nothing_else_is() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::parse(mechanism.name()), Some(mechanism));
            assert_eq!(Mechanism::parse(&mechanism.name().to_ascii_lowercase()), Some(mechanism));
        }
        for other in ["", "PLAIN ", "SCRAM-SHA-1", "DIGEST-MD5", "ANONYMOUS", "EXTERNAL", "PLAIN\0"] {
            assert_eq!(Mechanism::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn only_plain_and_login_show_the_password() {
        let plaintext: Vec<_> = Mechanism::ALL.into_iter().filter(|m| m.is_plaintext()).collect();
        assert_eq!(plaintext, [Mechanism::Plain, Mechanism::Login]);
    }
}
