//! The keys by which the domain's mail is signed (DKIM, RFC 6376, RFC 8301, RFC 8463). Which selectors there are cannot be asked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dns::{Answer, Resolver};
use futures_util::future::join_all;
use reputation::published::Tags;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::finding::{Finding, State};

const TOPIC: &str = "DKIM";
/// Below it no receiver counts a signature (RFC 8301 §3.2).
const RSA_BITS_MIN: usize = 1_024;
/// What is advised.
const RSA_BITS_GOOD: usize = 2_048;
/// Octets of an Ed25519 key (RFC 8463 §4).
const ED25519_OCTETS: usize = 32;

pub(crate) async fn look(dns: &Resolver, domain: &str, selectors: &[String]) -> Vec<Finding> {
    if selectors.is_empty() {
        let text =
            "DNS does not tell which keys there are: name them by --selector (s= in the DKIM-Signature of a sent mail)";
        return vec![Finding::new(State::NotAsked, TOPIC, domain, text)];
    }
    join_all(selectors.iter().map(|selector| key(dns, domain, selector))).await
}

async fn key(dns: &Resolver, domain: &str, selector: &str) -> Finding {
    let name = format!("{selector}._domainkey.{domain}");
    let texts = match dns.texts(&name).await {
        Answer::Found(texts) => texts,
        Answer::None => {
            let text = "no key: signatures by this selector fail. Publish what the signing program made for it";
            return Finding::missing(TOPIC, name, text);
        }
        Answer::Failed(failure) => return Finding::unknown(TOPIC, name, &failure),
    };
    if let [text] = &texts[..] {
        return match read(&String::from_utf8_lossy(text)) {
            Ok(told) => Finding::good(TOPIC, name, told),
            Err(why) => Finding::wrong(TOPIC, name, why),
        };
    }
    Finding::wrong(TOPIC, name, format!("{} texts stand there, and receivers may take any: leave one", texts.len()))
}

/// What a key record says of itself, or what is wrong with it.
fn read(text: &str) -> Result<String, String> {
    let tags = Tags::parse(text).map_err(|_| "the record cannot be read".to_owned())?;
    match tags.value("v") {
        Some("DKIM1") if tags.first() == Some("v") => {}
        None => {}
        Some(_) => return Err("the record does not begin with v=DKIM1".to_owned()),
    }
    let written = tags.value("p").ok_or("the record has no key (p=)")?;
    if written.is_empty() {
        return Err("the key is revoked (p= is empty): do not sign by this selector any more".to_owned());
    }
    let written: String = written.split_whitespace().collect();
    let key = STANDARD.decode(&written).map_err(|_| "the key (p=) is not whole: it is no base64".to_owned())?;
    let mut told = match tags.value("k").unwrap_or("rsa") {
        "rsa" => rsa(&key)?,
        "ed25519" if key.len() == ED25519_OCTETS => "Ed25519".to_owned(),
        "ed25519" => return Err(format!("an Ed25519 key has {ED25519_OCTETS} octets, and this one has {}", key.len())),
        _ => return Err("the kind of the key (k=) is neither rsa nor ed25519".to_owned()),
    };
    if tags.value("h").is_some_and(|hashes| !hashes.split(':').any(|hash| hash.trim() == "sha256")) {
        return Err("the record allows no SHA-256 (h=), and receivers take nothing older".to_owned());
    }
    if tags.value("t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y")) {
        told += "; it says that it is only tried (t=y)";
    }
    Ok(told)
}

fn rsa(key: &[u8]) -> Result<String, String> {
    let bits = rsa_bits(key).ok_or("the key (p=) is no RSA key, or not whole")?;
    match bits {
        ..RSA_BITS_MIN => Err(format!("an RSA key of {bits} bits, which nobody counts: make one of {RSA_BITS_GOOD}")),
        RSA_BITS_MIN..RSA_BITS_GOOD => Ok(format!("RSA of {bits} bits; {RSA_BITS_GOOD} are advised")),
        RSA_BITS_GOOD.. => Ok(format!("RSA of {bits} bits")),
    }
}

/// As most publish it (RFC 5280 §4.1.2.7), or alone (RFC 8017 §A.1.1), as RFC 6376 can be read.
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let modulus =
        |key: &RSAPublicKey<'_>| key.modulus.iter().skip_while(|octet| **octet == 0).copied().collect::<Vec<_>>();
    let modulus = if let Ok((_, info)) = SubjectPublicKeyInfo::from_der(key) {
        match info.parsed().ok()? {
            PublicKey::RSA(key) => modulus(&key),
            _ => return None,
        }
    } else {
        modulus(&RSAPublicKey::from_der(key).ok()?.1)
    };
    let first = modulus.first()?;
    Some(modulus.len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of so many bits, as DER: SEQUENCE of two INTEGERs.
    fn pkcs1(octets: usize) -> String {
        let modulus =
            [&[0x02, 0x82][..], &u16::try_from(octets + 1).unwrap().to_be_bytes(), &[0], &vec![0xc1; octets]].concat();
        let inner = [&modulus[..], &[0x02, 0x03, 1, 0, 1]].concat();
        let outer = [&[0x30, 0x82][..], &u16::try_from(inner.len()).unwrap().to_be_bytes(), &inner].concat();
        STANDARD.encode(outer)
    }

    #[test]
    fn keys_and_what_is_wrong_with_them() {
        let good = pkcs1(256);
        let ed = STANDARD.encode([7; 32]);
        for (text, told) in [
            (format!("v=DKIM1; k=rsa; p={good}"), Ok("RSA of 2048 bits")),
            (format!("p={good}"), Ok("RSA of 2048 bits")),
            (format!("v=DKIM1; t=y:s; p={}", pkcs1(128)), Ok("RSA of 1024 bits; 2048 are advised; it says")),
            (format!("v=DKIM1; k=ed25519; p={ed}"), Ok("Ed25519")),
            (format!("v=DKIM1; p={}", pkcs1(64)), Err("512 bits")),
            (format!("v=DKIM1; h=sha1; p={good}"), Err("SHA-256")),
            (format!("v=DKIM1; k=ed25519; p={good}"), Err("32 octets")),
            (format!("k=rsa; v=DKIM1; p={good}"), Err("begin with")),
            ("v=DKIM1; p=".to_owned(), Err("revoked")),
            ("v=DKIM1".to_owned(), Err("no key")),
            (format!("v=DKIM1; p={}", &good[..101]), Err("whole")),
            (format!("v=DKIM1; p={}", &good[..100]), Err("whole")),
            ("nothing".to_owned(), Err("cannot be read")),
        ] {
            match (read(&text), told) {
                (Ok(found), Ok(told)) => assert!(found.starts_with(told), "{text}: {found}"),
                (Err(found), Err(told)) => assert!(found.contains(told), "{text}: {found}"),
                (found, told) => panic!("{text}: {found:?}, not {told:?}"),
            }
        }
    }
}
