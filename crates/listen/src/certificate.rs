//! What a certificate says of itself: from when until when it holds, and for which names (RFC 5280 §4.1). Whether somebody
//! trusts it is not ours to ask: clients do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName};

/// Tags of ASN.1 (X.690 §8).
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version of a certificate, which those of the first version have not.
const VERSION: u8 = 0xa0;

/// A certificate, as far as an operator must know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Before that no client takes it.
    pub not_before: SystemTime,
    /// Behind that no client takes it.
    pub not_after: SystemTime,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Of its octets; `None`: it is not written as certificates are.
    pub fn of(der: &CertificateDer<'static>) -> Option<Self> {
        let certificate = Element::first(der, SEQUENCE)?;
        let mut rest = Element::first(certificate.content, SEQUENCE)?.content;
        if let Some(version) = Element::first(rest, VERSION) {
            rest = version.rest;
        }
        // Serial number, signature's algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            rest = Element::first(rest, tag)?.rest;
        }
        let validity = Element::first(rest, SEQUENCE)?.content;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        Some(Self { not_before, not_after, der: der.clone() })
    }

    /// Whether a client that looks for this name takes it.
    pub fn is_for(&self, name: &str) -> bool {
        let Ok(name) = ServerName::try_from(name) else { return false };
        let parsed = ParsedCertificate::try_from(&self.der);
        parsed.is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}

/// An element of DER: its content, and what is behind it.
struct Element<'a> {
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    /// The one that begins here, if it has this tag.
    fn first(octets: &'a [u8], tag: u8) -> Option<Self> {
        let (found, octets) = octets.split_first()?;
        let (length, octets) = octets.split_first()?;
        let (length, octets) = match *length {
            short @ ..0x80 => (usize::from(short), octets),
            // A certificate of more than 4 octets of length is none.
            long => {
                let count = usize::from(long & 0x7f);
                let (digits, octets) = octets.split_at_checked(count)?;
                if !(1..=4).contains(&count) {
                    return None;
                }
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), octets)
            }
        };
        let (content, rest) = octets.split_at_checked(length)?;
        (*found == tag).then_some(Self { content, rest })
    }
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5), and what is behind it.
fn time(octets: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (element, year_digits) = match Element::first(octets, UTC_TIME) {
        Some(element) => (element, 2),
        None => (Element::first(octets, GENERALIZED_TIME)?, 4),
    };
    let digits = element.content.strip_suffix(b"Z")?;
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    let (year, rest) = digits.split_at(year_digits);
    let year = match number(year) {
        year if year_digits == 4 => year,
        // RFC 5280 §4.1.2.5.1.
        year if year < 50 => 2_000 + year,
        year => 1_900 + year,
    };
    let parts: Vec<u64> = rest.chunks(2).map(number).collect();
    let [month, day, hour, minute, second] = parts.try_into().ok()?;
    let days = days_since_epoch(year, month, day)?;
    let secs = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some((UNIX_EPOCH.checked_add(Duration::from_secs(secs))?, element.rest))
}

/// Days of the Gregorian calendar from 1970 on; what is before that is its first day.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = BEFORE.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if year < 1970 {
        return Some(0);
    }
    // Leap days up to the year before, and this year's.
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = leaps(year) > leaps(year - 1);
    let this_year = u64::from(is_leap && month > 2);
    Some((year - 1970) * 365 + leaps(year - 1) - leaps(1969) + before + this_year + day.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str], not_before: (i32, u8, u8), not_after: (i32, u8, u8)) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(not_before.0, not_before.1, not_before.2);
        params.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
        let key = rcgen::KeyPair::generate().unwrap();
        Certificate::of(params.self_signed(&key).unwrap().der()).unwrap()
    }

    #[test]
    fn its_time_is_read_in_both_forms() {
        // 2049 is the last year in two digits.
        let certificate = made(&["a.test"], (1999, 12, 31), (2024, 2, 29));
        assert_eq!(certificate.not_before, UNIX_EPOCH + Duration::from_hours(262_944));
        assert_eq!(certificate.not_after, UNIX_EPOCH + Duration::from_hours(474_768));
        let certificate = made(&["a.test"], (2000, 3, 1), (2100, 3, 1));
        assert_eq!(certificate.not_before, UNIX_EPOCH + Duration::from_hours(264_408));
        assert_eq!(certificate.not_after, UNIX_EPOCH + Duration::from_hours(1_140_984));
    }

    #[test]
    fn its_names_are_those_that_clients_take() {
        let certificate = made(&["mail.example.test", "*.example.net"], (2020, 1, 1), (2030, 1, 1));
        for name in ["mail.example.test", "MAIL.example.test", "a.example.net"] {
            assert!(certificate.is_for(name), "{name}");
        }
        for name in ["example.test", "a.b.example.net", "", "two words"] {
            assert!(!certificate.is_for(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let good = made(&["a.test"], (2020, 1, 1), (2030, 1, 1));
        for end in 0..good.der.len().min(200) {
            assert_eq!(Certificate::of(&CertificateDer::from(good.der[..end].to_vec())), None, "{end}");
        }
        for wrong in
            [&b"\x30\x84\xff\xff\xff\xff"[..], b"\x30\x80\x00\x00", b"\x30\x85\x01\x01\x01\x01\x01", b"nothing"]
        {
            assert_eq!(Certificate::of(&CertificateDer::from(wrong.to_vec())), None);
        }
    }
}
