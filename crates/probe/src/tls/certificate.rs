//! What a host's certificates say, and what is wrong with them.
#![cfg_attr(test, expect(clippy::cloned_ref_to_slice_refs, reason = "a test"))]

use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;

use super::trust::judge;
use crate::asking::clean;
use crate::finding::{Finding, State};
use crate::publish::Record;
use crate::target::Target;

const NAMES: &str = "names";
const VALIDITY: &str = "validity";
const KEY: &str = "key";
const TRUST: &str = "trust";
/// Names that are shown, and characters of each.
const NAMES_MAX: usize = 10;
const NAME_CHARACTERS_MAX: usize = 100;
/// A certificate that ends so soon should have been renewed.
const DAYS_MIN: i64 = 7;
const RSA_BITS_MIN: usize = 2_048;
const CURVE_BITS_MIN: usize = 256;
const SELF_SIGNED: &str = "self-signed: other servers take it, mail programs warn of it";
const DAY_SECS: i64 = 86_400;

/// The chain that was shown.
pub(crate) struct Chain<'c> {
    pub(crate) target: &'c Target,
    /// The host's own first.
    pub(crate) certificates: &'c [CertificateDer<'static>],
    /// Trusted besides those of the system.
    pub(crate) trusted: &'c [CertificateDer<'static>],
    /// Seconds since 1970.
    pub(crate) now_secs: i64,
}

/// Looks at the chain.
pub(crate) fn look(chain: &Chain<'_>) -> Vec<Finding> {
    let subject = chain.target.to_string();
    let Some(own) = chain.certificates.first() else {
        return vec![Finding::wrong(TRUST, subject, "no certificate was shown")];
    };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(own) else {
        return vec![Finding::wrong(TRUST, subject, "the certificate cannot be read")];
    };
    let mut findings = vec![names(chain, own, &parsed), validity(chain, &parsed), key(chain, &parsed)];
    findings.push(trust(chain, &parsed));
    findings.push(dane(chain, &parsed));
    findings
}

fn names(chain: &Chain<'_>, own: &CertificateDer<'_>, parsed: &X509Certificate<'_>) -> Finding {
    let (target, subject) = (chain.target, chain.target.to_string());
    let all = alternative_names(parsed);
    let shown = all.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = if all.len() > NAMES_MAX { format!(" and {} more", all.len() - NAMES_MAX) } else { String::new() };
    let Ok(name) = ServerName::try_from(target.host.as_str()) else {
        return Finding::wrong(NAMES, subject, "the host's name can stand in no certificate");
    };
    let fits = ParsedCertificate::try_from(own).and_then(|parsed| verify_server_name(&parsed, &name));
    match fits {
        Ok(()) => Finding::good(NAMES, subject, format!("for {shown}{more}")),
        Err(_) if all.is_empty() => {
            Finding::wrong(NAMES, subject, "it has no names (subjectAltName), which is what clients look at")
        }
        Err(_) => Finding::wrong(NAMES, subject, format!("for {shown}{more}, not for {}", target.host)),
    }
}

fn alternative_names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    let shown = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(clean(name.as_bytes(), NAME_CHARACTERS_MAX)),
        GeneralName::IPAddress(octets) => match **octets {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
            ref other => <[u8; 16]>::try_from(other).ok().map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(shown).collect()
}

fn validity(chain: &Chain<'_>, parsed: &X509Certificate<'_>) -> Finding {
    let subject = chain.target.to_string();
    let (from, until) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    let days = (until - chain.now_secs).div_euclid(DAY_SECS);
    let shown = format!("{} to {}", day(from), day(until));
    if chain.now_secs < from {
        Finding::wrong(VALIDITY, subject, format!("{shown}: it does not hold yet; look at the clocks"))
    } else if chain.now_secs > until {
        Finding::wrong(VALIDITY, subject, format!("{shown}: it has expired; renew it"))
    } else if days < DAYS_MIN {
        Finding::wrong(VALIDITY, subject, format!("{shown}: {days} days are left; renew it"))
    } else {
        Finding::good(VALIDITY, subject, format!("{shown}: {days} days are left"))
    }
}

fn day(secs: i64) -> String {
    jiff::Timestamp::from_second(secs).map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn key(chain: &Chain<'_>, parsed: &X509Certificate<'_>) -> Finding {
    let subject = chain.target.to_string();
    let info = parsed.public_key();
    let (kind, bits, least) = match info.parsed() {
        Ok(PublicKey::RSA(rsa)) => ("RSA", rsa.key_size(), RSA_BITS_MIN),
        Ok(PublicKey::EC(curve)) => ("ECDSA", curve.key_size(), CURVE_BITS_MIN),
        // OID 1.3.101.112 (RFC 8410 §3).
        _ if info.algorithm.algorithm.to_id_string() == "1.3.101.112" => ("Ed25519", CURVE_BITS_MIN, CURVE_BITS_MIN),
        _ => return Finding::new(State::NotFoundOut, KEY, subject, "a key of a kind that is not known here"),
    };
    let told = format!("{kind} of {bits} bits");
    if bits < least {
        return Finding::wrong(KEY, subject, format!("{told}: {least} are the least that clients should take"));
    }
    Finding::good(KEY, subject, told)
}

fn trust(chain: &Chain<'_>, parsed: &X509Certificate<'_>) -> Finding {
    let subject = chain.target.to_string();
    let issuer = clean(parsed.issuer().to_string().as_bytes(), NAME_CHARACTERS_MAX);
    let shown = format!("issued by {issuer}, {} certificates shown", chain.certificates.len());
    let Ok(name) = ServerName::try_from(chain.target.host.as_str()) else {
        return Finding::wrong(TRUST, subject, shown);
    };
    let now_secs = u64::try_from(chain.now_secs).unwrap_or_default();
    match judge(chain.certificates, &name, chain.trusted, now_secs) {
        Ok(Ok(())) => Finding::good(TRUST, subject, format!("{shown}: the chain is whole and trusted")),
        // Said of the names and of the time already.
        Ok(Err(Error::InvalidCertificate(error))) if is_told(&error) => {
            Finding::new(State::NotAsked, TRUST, subject, format!("{shown}: not looked at, for what is wrong above"))
        }
        Ok(Err(error)) => Finding::wrong(TRUST, subject, format!("{shown}: {}", untrusted(chain, parsed, &error))),
        Err(_) if is_self_signed(parsed) => Finding::wrong(TRUST, subject, format!("{shown}: {SELF_SIGNED}")),
        Err(error) => {
            let text = format!("{shown}: what this system trusts cannot be read ({error}); name it by --trust");
            Finding::new(State::NotFoundOut, TRUST, subject, text)
        }
    }
}

fn is_told(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

fn is_self_signed(parsed: &X509Certificate<'_>) -> bool {
    parsed.issuer().as_raw() == parsed.subject().as_raw()
}

fn untrusted(chain: &Chain<'_>, parsed: &X509Certificate<'_>, error: &Error) -> String {
    if is_self_signed(parsed) {
        return SELF_SIGNED.to_owned();
    }
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) if chain.certificates.len() == 1 => {
            "the chain is not whole, or nobody trusts who issued it: let the server show the intermediate certificates too (fullchain.pem)".to_owned()
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "this system does not trust who issued it".to_owned(),
        other => clean(other.to_string().as_bytes(), 200),
    }
}

/// The record that pins this key.
fn dane(chain: &Chain<'_>, parsed: &X509Certificate<'_>) -> Finding {
    let digest = Sha256::digest(parsed.public_key().raw);
    let text = "the record for this key; only in a zone that is signed (DNSSEC), and changed with the key";
    let finding = Finding::new(State::NotAsked, "DANE", chain.target.to_string(), text);
    if chain.target.host.parse::<std::net::IpAddr>().is_ok() {
        return finding;
    }
    finding.publish(Record::certificate(&chain.target.host, chain.target.port, &digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

    /// 2026-11-30.
    const NOW: i64 = 1_796_000_000;

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 12, 1));
        params
    }

    fn states(chain: &[CertificateDer<'static>], trusted: &[CertificateDer<'static>], now_secs: i64) -> Vec<State> {
        let target = Target { host: "mx.d.example".to_owned(), port: 25 };
        let found = look(&Chain { target: &target, certificates: chain, trusted, now_secs });
        found.iter().take(4).map(|finding| finding.state).collect()
    }

    #[test]
    fn a_chain_is_judged_as_a_mail_program_judges_it() {
        use State::{Good, NotAsked, Wrong};
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut ca = params("ca.example");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, "Test CA");
        let root = ca.self_signed(&ca_key).unwrap().der().clone();
        let issuer = Issuer::new(ca, ca_key);
        let of = |name: &str| params(name).signed_by(&key, &issuer).unwrap().der().clone();
        let own = of("mx.d.example");
        let trusted = [root.clone()];
        assert_eq!(states(&[own.clone()], &trusted, NOW), [Good; 4]);
        assert_eq!(states(&[of("other.example")], &trusted, NOW), [Wrong, Good, Good, NotAsked]);
        let days = |days: i64| NOW + days * DAY_SECS;
        assert_eq!(states(&[own.clone()], &trusted, days(400)), [Good, Wrong, Good, NotAsked]);
        assert_eq!(states(&[own.clone()], &trusted, days(362)), [Good, Wrong, Good, Good], "renewed in time");
        assert_eq!(states(&[own.clone()], &trusted, days(-400)), [Good, Wrong, Good, NotAsked]);
        let alone = params("mx.d.example").self_signed(&key).unwrap().der().clone();
        assert_eq!(states(&[alone.clone()], &trusted, NOW), [Good, Good, Good, Wrong]);
        assert_eq!(states(&[alone.clone()], &[alone], NOW), [Good; 4], "trusted by hand");
        assert_eq!(states(&[own], &[of("x.example")], NOW)[3], Wrong, "nobody trusts who issued it");
        assert_eq!(states(&[CertificateDer::from(b"nothing".to_vec())], &trusted, NOW), [Wrong]);
    }
}
