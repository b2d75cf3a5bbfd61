//! `dracd.allow`: which POP and IMAP servers may add addresses.
//!
//! A line is `NETMASK NETADDR` from the first column on, and matches a client whose address and NETMASK make NETADDR; NETADDR is
//! not masked first. Numbers are read as C's `inet_addr` reads them: with a leading 0 they are octal, and `10` is `0.0.0.10`.
//! What follows the two fields is ignored; `#` in the first column is a comment. All this is as the original reads it, so that a
//! file permits the same clients here as there. Added are lines with one network: `192.0.2.0/24`, `2001:db8::/48`, `2001:db8::1`.
//!
//! The original says nothing of a line that means nothing, or something else than it seems to. Here each is a [`Warning`], with
//! what to write instead. A line that lets half the world add is an error: whoever may add may make this server relay for all.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use self::field::Fields;

mod field;
mod network;

/// Lines with an entry that a file may have.
pub const ENTRIES_MAX: usize = 10_000;
/// An IPv4 entry matches at most 2²⁴ addresses, a 10.0.0.0/8.
const V4_BITS_MIN: u32 = 8;
/// An IPv6 entry is at widest what a provider is given.
const V6_BITS_MIN: u32 = 32;

/// Who may add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    v4: Vec<Entry<u32>>,
    v6: Vec<Entry<u128>>,
}

/// A client is meant whose address, masked, is `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry<Bits> {
    mask: Bits,
    address: Bits,
}

/// A list as it was read, and what its writer should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Who may add.
    pub allow: Allow,
    /// In the order of the lines.
    pub warnings: Vec<Warning>,
}

/// Where in a file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The octet in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A line that permits nobody, or not what it seems to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub place: Position,
    /// What is the matter, and what to write instead.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why a list is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// Every IPv4 or every IPv6 address may add.
    #[error(
        "{place}: this lets everybody add addresses, which makes an open relay: anybody could authorize himself. \
         Name the POP and IMAP servers, such as `255.255.255.255 192.0.2.5`"
    )]
    Everybody {
        /// The entry.
        place: Position,
    },
    /// So many addresses may add that it cannot be one site's servers.
    #[error(
        "{place}: this lets {addresses} addresses add, far more than a site has. \
         Name the POP and IMAP servers, such as `255.255.255.255 192.0.2.5`"
    )]
    TooWide {
        /// The entry.
        place: Position,
        /// How many it matches, as a power of two.
        addresses: String,
    },
    /// More than [`ENTRIES_MAX`] entries.
    #[error("{place}: more than {ENTRIES_MAX} entries")]
    TooMany {
        /// The first entry that is too many.
        place: Position,
    },
}

impl Allow {
    /// What holds without a list: 127.0.0.1 and ::1 may add, no other address of this machine.
    pub fn loopback_only() -> Self {
        let loopback = Entry { mask: u32::MAX, address: Ipv4Addr::LOCALHOST.to_bits() };
        Self { v4: vec![loopback], v6: vec![Entry { mask: u128::MAX, address: 1 }] }
    }

    /// Reads the text of the file named `file`. A list without an entry permits nobody, not even loopback.
    pub fn parse(file: &str, text: &[u8]) -> Result<Loaded, AllowError> {
        let mut reading = Reading { file, line: 0, loaded: Loaded { allow: Self::default(), warnings: Vec::new() } };
        for line in text.split(|&octet| octet == b'\n') {
            reading.line += 1;
            reading.take(line)?;
        }
        let mut loaded = reading.loaded;
        if loaded.allow.is_empty() {
            let place = Position { file: file.to_owned(), line: 1, column: 1 };
            let message = "no line permits anybody: every add will be denied, those from this machine too. Without any file \
                           127.0.0.1 and ::1 may add";
            loaded.warnings.push(Warning { place, message: message.to_owned() });
        }
        Ok(loaded)
    }

    /// Whether a client with this address may add. A v4-mapped address is its IPv4 address.
    pub fn allows(&self, client: IpAddr) -> bool {
        match client.to_canonical() {
            IpAddr::V4(v4) => self.v4.iter().any(|entry| v4.to_bits() & entry.mask == entry.address),
            IpAddr::V6(v6) => self.v6.iter().any(|entry| v6.to_bits() & entry.mask == entry.address),
        }
    }

    /// Whether nobody may add.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether a client that is not on this machine may add.
    pub fn reaches_beyond_loopback(&self) -> bool {
        let local = |entry: &Entry<u32>| entry.mask >> 24 == 0xff && entry.address >> 24 == 127;
        !self.v4.iter().all(local) || self.v6.iter().any(|entry| (entry.mask, entry.address) != (u128::MAX, 1))
    }
}

/// How many bits of an address an entry's mask holds.
#[derive(Clone, Copy)]
struct Width {
    bits: u32,
    bits_min: u32,
    bits_all: u32,
}

/// The state of reading a file.
struct Reading<'a> {
    file: &'a str,
    line: usize,
    loaded: Loaded,
}

impl Reading<'_> {
    fn take(&mut self, line: &[u8]) -> Result<(), AllowError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = line.trim_ascii_start();
        if text.is_empty() || line.starts_with(b"#") {
            return Ok(());
        }
        if text.len() < line.len() {
            let column = line.len() - text.len() + 1;
            let what = if text.starts_with(b"#") { "a comment" } else { "an entry" };
            self.warn(column, format!("void: {what} must begin in the first column; take the blanks away"));
            return Ok(());
        }
        if network::looks_like_one(line) { self.take_network(line) } else { self.take_fields(line) }
    }

    fn take_network(&mut self, line: &[u8]) -> Result<(), AllowError> {
        match network::parse(line) {
            Ok(network::Network::V4(entry)) => self.push_v4(entry),
            Ok(network::Network::V6(entry)) => self.push_v6(entry),
            Err((column, message)) => {
                self.warn(column, message);
                Ok(())
            }
        }
    }

    fn take_fields(&mut self, line: &[u8]) -> Result<(), AllowError> {
        match Fields::of(line) {
            Ok(fields) => {
                for (column, message) in fields.oddities() {
                    self.warn(column, message);
                }
                fields.entry().map_or(Ok(()), |entry| self.push_v4(entry))
            }
            Err((column, message)) => {
                self.warn(column, message);
                Ok(())
            }
        }
    }

    fn push_v4(&mut self, entry: Entry<u32>) -> Result<(), AllowError> {
        self.check_width(Width { bits: entry.mask.count_ones(), bits_min: V4_BITS_MIN, bits_all: u32::BITS })?;
        self.loaded.allow.v4.push(entry);
        Ok(())
    }

    fn push_v6(&mut self, entry: Entry<u128>) -> Result<(), AllowError> {
        self.check_width(Width { bits: entry.mask.count_ones(), bits_min: V6_BITS_MIN, bits_all: u128::BITS })?;
        self.loaded.allow.v6.push(entry);
        Ok(())
    }

    fn check_width(&self, width: Width) -> Result<(), AllowError> {
        let Width { bits, bits_min, bits_all } = width;
        let place = self.position(1);
        if bits == 0 {
            Err(AllowError::Everybody { place })
        } else if bits < bits_min {
            Err(AllowError::TooWide { place, addresses: format!("2^{}", bits_all - bits) })
        } else if self.loaded.allow.v4.len() + self.loaded.allow.v6.len() >= ENTRIES_MAX {
            Err(AllowError::TooMany { place })
        } else {
            Ok(())
        }
    }

    fn warn(&mut self, column: usize, message: String) {
        let place = self.position(column);
        self.loaded.warnings.push(Warning { place, message });
    }

    fn position(&self, column: usize) -> Position {
        Position { file: self.file.to_owned(), line: self.line, column }
    }
}

#[cfg(test)]
mod tests;
