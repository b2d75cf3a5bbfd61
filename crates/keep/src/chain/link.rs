//! One line of a chain as text, and its sum. Pure.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

const MAC_OCTETS: usize = 32;
const BEGINNING: &str = "{\"seq\":";
const SUM: &str = ",\"mac\":\"";
const END: &str = "\"}";

/// What the sums are made with: 32 octets for this one purpose. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; MAC_OCTETS]>);

impl Key {
    /// A key that is kept elsewhere.
    pub fn new(key: Zeroizing<[u8; MAC_OCTETS]>) -> Self {
        Self(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The sum of a line and of all before it; printed as 64 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mac([u8; MAC_OCTETS]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl Mac {
    /// Lower-case digits only: another way to write the same sum is a change.
    fn read(digits: &[u8]) -> Option<Self> {
        let digit = |octet: u8| match octet {
            b'0'..=b'9' => Some(octet - b'0'),
            b'a'..=b'f' => Some(octet - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != MAC_OCTETS || !rest.is_empty() {
            return None;
        }
        let mut mac = [0; MAC_OCTETS];
        for (octet, [high, low]) in mac.iter_mut().zip(pairs) {
            *octet = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(mac))
    }
}

/// Where a chain stands: its last line's number and sum; printed and read as `NUMBER:SUM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Number of the line, from 1; 0: there is none yet.
    pub sequence: u64,
    /// Its sum.
    pub mac: Mac,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.mac)
    }
}

/// The text is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not NUMBER:SUM, as the log event \"relay chain\" or --verify shows it")]
pub struct HeadError;

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (sequence, mac) = text.trim().split_once(':').ok_or(HeadError)?;
        let sequence = sequence.parse().map_err(|_| HeadError)?;
        Ok(Self { sequence, mac: Mac::read(mac.as_bytes()).ok_or(HeadError)? })
    }
}

/// What a line is made of.
pub(super) struct Parts<'a> {
    pub(super) sequence: u64,
    /// What whoever appends wants to find again.
    pub(super) mark: Option<&'a str>,
    /// What a crash left before it.
    pub(super) torn: &'a [u8],
    /// The rest of an object, without its opening brace.
    pub(super) rest: fmt::Arguments<'a>,
}

/// Adds a line with its end, and gives its sum.
pub(super) fn put(out: &mut String, parts: &Parts<'_>, before: &Mac, key: &Key) -> Mac {
    use fmt::Write as _;
    let from = out.len();
    // Writing into a `String` does not fail.
    let _ = write!(out, "{BEGINNING}{},", parts.sequence);
    if let Some(mark) = parts.mark {
        let _ = write!(out, "\"mark\":\"{mark}\",");
    }
    if !parts.torn.is_empty() {
        let _ = write!(out, "\"torn\":{},", parts.torn.len());
    }
    let _ = write!(out, "{}", parts.rest);
    let mac = sum(key, &[&before.0, parts.torn, &out.as_bytes()[from..]]);
    let _ = writeln!(out, "{SUM}{mac}{END}");
    mac
}

fn sum(key: &Key, parts: &[&[u8]]) -> Mac {
    // An HMAC takes a key of any length.
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key.0.as_slice()) else { return Mac::default() };
    for part in parts {
        hmac.update(part);
    }
    Mac(hmac.finalize().into_bytes().into())
}

/// A line as it was read. Nothing of it is proved before [`Read::is_of`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) sequence: u64,
    pub(super) mark: Option<&'a str>,
    /// So many octets before it are no line.
    pub(super) torn: usize,
    /// It begins a file: the sum of the line before.
    pub(super) before: Option<Mac>,
    pub(super) mac: Mac,
    summed: &'a [u8],
}

impl<'a> Read<'a> {
    /// `None`: it is no line of a chain.
    pub(super) fn new(line: &'a [u8]) -> Option<Self> {
        let line = line.strip_suffix(END.as_bytes())?;
        let (line, digits) = line.split_at_checked(line.len().checked_sub(2 * MAC_OCTETS)?)?;
        let mac = Mac::read(digits)?;
        let summed = line.strip_suffix(SUM.as_bytes())?;
        let text = std::str::from_utf8(summed).ok()?.strip_prefix(BEGINNING)?;
        let (sequence, mut rest) = text.split_once(',')?;
        let sequence = sequence.parse().ok()?;
        let mut mark = None;
        if let Some(more) = rest.strip_prefix("\"mark\":\"") {
            let (text, after) = more.split_once("\",")?;
            (mark, rest) = (Some(text), after);
        }
        let mut torn = 0;
        if let Some(more) = rest.strip_prefix("\"torn\":") {
            let (count, after) = more.split_once(',')?;
            (torn, rest) = (count.parse().ok()?, after);
        }
        let before = rest.strip_prefix(ANCHOR).and_then(|rest| rest.split_once("\",\"before\":\""));
        let before = before.and_then(|(_, before)| Mac::read(before.strip_suffix('"')?.as_bytes()));
        Some(Self { sequence, mark, torn, before, mac, summed })
    }

    /// Whether it follows on that line, with these octets between them.
    pub(super) fn is_of(&self, before: &Mac, torn: &[u8], key: &Key) -> bool {
        sum(key, &[&before.0, torn, self.summed]) == self.mac
    }

    pub(super) fn head(&self) -> Head {
        Head { sequence: self.sequence, mac: self.mac }
    }
}

/// How the line begins, after its number, that begins a file. No other may.
pub(super) const ANCHOR: &str = "\"chain\":\"";

/// Whether a line is the first of a file: the chain's own, which nobody gave.
pub fn is_beginning(line: &str) -> bool {
    Read::new(line.as_bytes()).is_some_and(|read| read.before.is_some())
}
