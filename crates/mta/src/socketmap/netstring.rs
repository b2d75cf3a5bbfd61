//! Netstrings, as both sides of socketmap send them: `LENGTH:OCTETS,`.

use std::ops::Range;

/// Digits of the longest length that either side takes.
const LENGTH_DIGITS_MAX: usize = 6;

/// Where the next netstring begins is not known any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetstringError {
    /// No decimal length without leading zeros, or no colon behind it.
    #[error("not a netstring's length")]
    Length,
    /// Longer than the limit that the decoder was given.
    #[error("longer than {limit} octets")]
    TooLong {
        /// In octets.
        limit: usize,
    },
    /// No comma at the end.
    #[error("netstring without its comma")]
    Comma,
}

/// Finds netstrings in what comes in.
#[derive(Debug)]
pub(super) struct Netstrings {
    octets: Vec<u8>,
    start: usize,
    pub(super) limit: usize,
    failed: Option<NetstringError>,
}

impl Netstrings {
    /// Of up to `limit` octets each.
    pub(super) fn new(limit: usize) -> Self {
        Self { octets: Vec::new(), start: 0, limit, failed: None }
    }

    /// Takes what came in.
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets.drain(..self.start);
        self.start = 0;
        self.octets.extend_from_slice(octets);
    }

    /// What is in the next whole one; `None`: more octets are needed.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, NetstringError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.find() {
            Ok(None) => Ok(None),
            Ok(Some(range)) => Ok(Some(&self.octets[range])),
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    fn find(&mut self) -> Result<Option<Range<usize>>, NetstringError> {
        let Some(Length { octets, digits }) = Length::parse(&self.octets[self.start..], self.limit)? else {
            return Ok(None);
        };
        let from = self.start + digits + 1;
        let to = from + octets;
        match self.octets.get(to) {
            None => Ok(None),
            Some(b',') => {
                self.start = to + 1;
                Ok(Some(from..to))
            }
            Some(_) => Err(NetstringError::Comma),
        }
    }
}

/// The length in front.
struct Length {
    /// How long the netstring is.
    octets: usize,
    /// In so many digits.
    digits: usize,
}

impl Length {
    /// `None` until its colon is there.
    fn parse(octets: &[u8], limit: usize) -> Result<Option<Self>, NetstringError> {
        let digits = octets.iter().take_while(|octet| octet.is_ascii_digit()).take(LENGTH_DIGITS_MAX + 1).count();
        // One number has one spelling: what another reader might read differently is not guessed at.
        if digits > 1 && octets[0] == b'0' {
            return Err(NetstringError::Length);
        }
        if digits > LENGTH_DIGITS_MAX {
            return Err(NetstringError::TooLong { limit });
        }
        let length = octets[..digits].iter().fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        match octets.get(digits) {
            _ if length > limit => Err(NetstringError::TooLong { limit }),
            None => Ok(None),
            Some(b':') if digits > 0 => Ok(Some(Self { octets: length, digits })),
            Some(_) => Err(NetstringError::Length),
        }
    }
}

/// Appends a netstring of these parts.
pub(super) fn write_netstring(parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(format!("{length}:").as_bytes());
    out.extend(parts.iter().copied().flatten());
    out.push(b',');
}
