//! What a certificate says of itself: from when until when it holds, and for which names (RFC 5280 §4.1). Whether somebody
//! trusts it is not ours to ask: clients do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName};
use x509_parser::time::ASN1Time;

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
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let validity = certificate.validity();
        Some(Self { not_before: time(validity.not_before), not_after: time(validity.not_after), der: der.clone() })
    }

    /// Whether a client that looks for this name takes it.
    pub fn is_for(&self, name: &str) -> bool {
        let Ok(name) = ServerName::try_from(name) else { return false };
        let parsed = ParsedCertificate::try_from(&self.der);
        parsed.is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}

/// What is before 1970 is its first day.
fn time(time: ASN1Time) -> SystemTime {
    let secs = u64::try_from(time.timestamp()).unwrap_or_default();
    UNIX_EPOCH.checked_add(Duration::from_secs(secs)).unwrap_or(UNIX_EPOCH)
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
