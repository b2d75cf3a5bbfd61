//! Macros: what the mail server knows besides, as names and values that belong to a step.

use super::MilterError;
use super::packet;

/// Most macros that one step may bring. sendmail sends at most 50.
pub const MACROS_MAX: usize = 256;
/// Most octets of all names and values of one step.
pub const MACRO_OCTETS_MAX: usize = 32_768;

/// The steps that have macros, in the order of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The client connected.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The end of the headers.
    EndOfHeaders,
    /// The end of the message.
    EndOfMessage,
}

impl Stage {
    const COUNT: usize = 7;

    /// The step that a command tells.
    pub(super) fn of_command(command: u8) -> Option<Self> {
        match command {
            packet::CONNECT => Some(Self::Connect),
            packet::HELO => Some(Self::Helo),
            packet::MAIL => Some(Self::Mail),
            packet::RCPT => Some(Self::Rcpt),
            packet::DATA => Some(Self::Data),
            packet::END_OF_HEADERS => Some(Self::EndOfHeaders),
            packet::END_OF_MESSAGE => Some(Self::EndOfMessage),
            _ => None,
        }
    }

    /// Its number in a request for macros (`SMFIM_…`), where the end of the headers comes last.
    pub(super) fn request_number(self) -> u32 {
        match self {
            Self::Connect => 0,
            Self::Helo => 1,
            Self::Mail => 2,
            Self::Rcpt => 3,
            Self::Data => 4,
            Self::EndOfMessage => 5,
            Self::EndOfHeaders => 6,
        }
    }
}

/// The macros of one step: names and values as they came, each with its NUL.
#[derive(Debug, Default)]
pub(super) struct MacroSet(Vec<u8>);

impl MacroSet {
    /// Checks the pairs that a macro packet holds behind its step.
    pub(super) fn parse(pairs: &[u8]) -> Result<Self, MilterError> {
        let malformed = |what| MilterError::Malformed { command: packet::MACRO, what };
        if pairs.len() > MACRO_OCTETS_MAX {
            return Err(malformed("macros are too long"));
        }
        if pairs.last().is_some_and(|&octet| octet != 0) {
            return Err(malformed("a macro has no end"));
        }
        let texts = pairs.split(|&octet| octet == 0).count() - 1;
        if texts % 2 != 0 {
            return Err(malformed("a macro has no value"));
        }
        if texts / 2 > MACROS_MAX {
            return Err(malformed("too many macros"));
        }
        Ok(Self(pairs.to_vec()))
    }

    fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let mut texts = self.0.split(|&octet| octet == 0);
        while let (Some(found), Some(value)) = (texts.next(), texts.next()) {
            if bare(found) == name {
                return Some(value);
            }
        }
        None
    }
}

/// A name without the braces that longer names have in `sendmail.cf`.
fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or(name)
}

/// The macros of all steps until now.
#[derive(Debug, Default)]
pub(super) struct Macros {
    sets: [MacroSet; Stage::COUNT],
    /// The set came since the step's command was told last.
    is_fresh: [bool; Stage::COUNT],
}

impl Macros {
    /// Macros came for a step, before its command. They take the place of older ones, and what belonged to later steps is
    /// gone. sendmail sends them also for steps that the filter does not want.
    pub(super) fn set(&mut self, stage: Stage, set: MacroSet) {
        self.clear_from(stage);
        self.sets[stage as usize] = set;
        self.is_fresh[stage as usize] = true;
    }

    /// The command of a step came. A login's name from an earlier transaction must not stand for this one: a server sends
    /// no macros if none is defined, so what did not come anew is gone, too.
    pub(super) fn step(&mut self, stage: Stage) {
        let set = if self.is_fresh[stage as usize] {
            std::mem::take(&mut self.sets[stage as usize])
        } else {
            MacroSet::default()
        };
        self.clear_from(stage);
        self.sets[stage as usize] = set;
    }

    /// Forgets those of this step and the later ones.
    pub(super) fn clear_from(&mut self, stage: Stage) {
        self.sets[stage as usize..].fill_with(MacroSet::default);
        self.is_fresh[stage as usize..].fill(false);
    }

    /// A macro's value, by its name without braces; of several the latest step's.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        let name = bare(name.as_bytes());
        self.sets.iter().rev().find_map(|set| set.value(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[u8]) -> MacroSet {
        MacroSet::parse(pairs).unwrap()
    }

    #[test]
    fn pairs_and_what_is_none() {
        assert!(MacroSet::parse(b"").is_ok());
        assert!(MacroSet::parse(b"i\0A1\0").is_ok());
        assert!(MacroSet::parse(b"\0\0").is_ok());
        assert!(MacroSet::parse(b"i\0A1").is_err());
        assert!(MacroSet::parse(b"i\0").is_err());
        assert!(MacroSet::parse(b"i\0A1\0j\0").is_err());
        assert!(MacroSet::parse(&b"i\0\0".repeat(MACROS_MAX)).is_ok());
        assert!(MacroSet::parse(&b"i\0\0".repeat(MACROS_MAX + 1)).is_err());
        let long = [b"i\0".as_slice(), &vec![b'x'; MACRO_OCTETS_MAX - 3], b"\0"].concat();
        assert!(MacroSet::parse(&long).is_ok());
        assert!(MacroSet::parse(&[b"x".as_slice(), &long].concat()).is_err());
    }

    #[test]
    fn names_with_and_without_braces() {
        let mut macros = Macros::default();
        macros.set(Stage::Connect, set(b"j\0mx.example\0{client_addr}\x00192.0.2.7\0daemon_name\0\0"));
        assert_eq!(macros.value("j"), Some(b"mx.example".as_slice()));
        assert_eq!(macros.value("{j}"), Some(b"mx.example".as_slice()));
        assert_eq!(macros.value("client_addr"), Some(b"192.0.2.7".as_slice()));
        assert_eq!(macros.value("{client_addr}"), Some(b"192.0.2.7".as_slice()));
        assert_eq!(macros.value("daemon_name"), Some(b"".as_slice()));
        assert_eq!(macros.value("i"), None);
        assert_eq!(macros.value("mx.example"), None, "a value is no name");
    }

    #[test]
    fn a_step_keeps_earlier_ones_and_drops_later_ones() {
        let mut macros = Macros::default();
        macros.set(Stage::Connect, set(b"i\0connect\0_\0peer\0"));
        macros.step(Stage::Connect);
        macros.set(Stage::Mail, set(b"i\0mail\0auth_authen\0alice\0"));
        macros.step(Stage::Mail);
        assert_eq!(macros.value("i"), Some(b"mail".as_slice()));
        macros.set(Stage::Rcpt, set(b"rcpt_mailer\0error\0"));
        macros.step(Stage::Rcpt);
        assert_eq!(macros.value("rcpt_mailer"), Some(b"error".as_slice()));
        macros.step(Stage::Rcpt);
        assert_eq!(macros.value("rcpt_mailer"), None, "the next recipient came without");
        macros.step(Stage::Mail);
        assert_eq!(macros.value("auth_authen"), None, "the next transaction came without");
        assert_eq!(macros.value("i"), Some(b"connect".as_slice()));
        assert_eq!(macros.value("_"), Some(b"peer".as_slice()));
    }
}
