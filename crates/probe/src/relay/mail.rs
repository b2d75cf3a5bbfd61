//! The mail that a probe sends to the sink: it says what it is, and bears a token by which it is known again.

use std::fmt;

use serde::{Serialize, Serializer};

use super::fill::Values;

/// Octets of chance in a token.
const TOKEN_OCTETS: usize = 12;

/// The header field in which it stands.
const FIELD: &str = "X-Sekisho-Probe:";

/// What the mails of one run bear, so that no other mail is taken for one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut octets = [0; TOKEN_OCTETS];
        getrandom::fill(&mut octets)?;
        Ok(Self(octets.iter().fold("sekisho-probe-".to_owned(), |text, octet| text + &format!("{octet:02x}"))))
    }

    /// What the mail of one probe bears. It ends with a letter, so that none is the beginning of another.
    pub(super) fn of(&self, number: usize) -> String {
        format!("{}-{number}x", self.0)
    }

    /// The number of the probe whose mail this is. Only its own header counts: a bounce, which a server may send that relays
    /// nothing, has the header of what it returns in its body.
    pub(super) fn number(&self, mail: &str) -> Option<usize> {
        let header = mail.lines().take_while(|line| !line.is_empty());
        header.filter_map(|line| line.strip_prefix(FIELD)).find_map(|mark| {
            let mark = mark.trim().strip_prefix(&self.0)?.strip_prefix('-')?;
            mark.strip_suffix('x')?.parse().ok()
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A mail, without the end of its data.
pub(super) fn text(values: &Values, mark: &str) -> String {
    let now = jiff::Timestamp::now();
    let date = jiff::fmt::rfc2822::to_string(&now.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
    values.fill(&format!(
        "Date: {date}\r\nFrom: <spamtest@{{target_domain}}>\r\nTo: <{{target_user}}@{{target_domain}}>\r\n\
         Subject: Relay test {mark}\r\nMessage-ID: <{mark}@{{target_domain}}>\r\n{FIELD} {mark}\r\n\
         Auto-Submitted: auto-generated\r\n\r\n\
         The operator of {{local_host}} tests whether it relays mail for strangers.\r\n\
         If this mail arrived, it does.\r\n"
    ))
}
