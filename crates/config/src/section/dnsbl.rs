//! `[[dnsbl]]`: lists in DNS that say of a client or a domain what others think of it (RFC 5782).

use crate::reading::Reading;
use crate::section::access;
use crate::value::{self, Unreadable, unreadable};
use guard::rule::Mode;
use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Lists that are asked about one client at most: each is a question that its mail waits for.
const ZONES_MAX: usize = 32;
/// Codes of one list at most.
const CODES_MAX: usize = 256;
/// Heaviest weight, either way.
const WEIGHT_MAX: i32 = 100;
/// Longest name of a list in octets: an IPv6 address of 64 octets stands in front of it, and a name has 253.
const ZONE_OCTETS_MAX: usize = 180;

/// `[[dnsbl]]`: a list in DNS. It weighs for or against strangers' mail to recipients of ours, and never gives a right to relay. What
/// it does not answer, or answers with a code that is not declared, weighs nothing; a list that fails its test points (RFC 5782 §5) or
/// suddenly lists nearly everybody is set aside until it is sound again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Dnsbl", deny_unknown_fields)]
pub struct WrittenDnsbl {
    /// The domain of the list, for example `zen.dnsbl.example`. Required.
    pub zone: String,
    /// Name in replies, in the log and in `sekisho dnsbl list`; set it if `zone` contains your key. Default none: the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the list is about: `"ip"`, the client's address; `"domain"`, the domain of the envelope sender (the greeting name if
    /// the sender is null). Default `"ip"`.
    #[serde(default)]
    pub kind: ListKind,
    /// What a listing adds to the mail's score, -100 to 100, not 0. Below 0 the list is an allow list: no other list of its kind
    /// counts against the clients in it. Required.
    #[schemars(range(min = -100, max = 100))]
    pub weight: i32,
    /// The answers that count, each `ADDRESS`, `ADDRESS-ADDRESS`, `ADDRESS/PREFIX` or `&MASK` (all bits of the mask are set in
    /// the last three octets), followed by `=WEIGHT` if it has its own weight; the first match counts. All within 127.0.0.0/8,
    /// without 127.0.0.1 and 127.255.255.0/24, by which lists report errors. Required.
    pub codes: Vec<String>,
    /// Whether listings count, or only appear in the log and the record. Default `"enforce"`.
    #[serde(default)]
    pub mode: access::Mode,
}

/// `dnsbl.kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListKind {
    /// The client's address.
    #[default]
    Ip,
    /// A domain of the mail.
    Domain,
}

impl ListKind {
    /// As it is written.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Domain => "domain",
        }
    }
}

/// `[[dnsbl]]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dnsbl {
    /// The domain, without a dot at the end.
    pub zone: Arc<str>,
    /// What it is called.
    pub name: Arc<str>,
    /// What it is about.
    pub kind: ListKind,
    /// The answers that count.
    pub codes: Vec<Code>,
    /// Whether it counts, or is only told.
    pub mode: Mode,
}

/// Answers that count, and what they weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Which answers.
    pub which: Codes,
    /// What each weighs.
    pub weight: i32,
}

/// Answers that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// From the first to the last.
    Range(Ipv4Addr, Ipv4Addr),
    /// Those in which all of these bits are set.
    Bits(u32),
}

impl Codes {
    /// Reads them as `dnsbl.codes` has them, without a weight; `None`: they are no answers, or such as say that nothing is listed.
    pub fn parse(text: &str) -> Option<Self> {
        codes(text).filter(|codes| codes.can_be_listings())
    }

    fn can_be_listings(self) -> bool {
        match self {
            Self::Range(first, last) => is_listing(first) && is_listing(last),
            Self::Bits(_) => true,
        }
    }

    /// Whether an answer is one of them.
    pub fn has(self, answer: Ipv4Addr) -> bool {
        match self {
            Self::Range(first, last) => (first..=last).contains(&answer),
            Self::Bits(bits) => answer.to_bits() & bits == bits,
        }
    }
}

/// Whether an answer says that something is listed at all: not outside 127.0.0.0/8, where a domain that was sold or a resolver
/// that "helps" answers, not 127.0.0.1, and not 127.255.255.0/24, by which lists say that they do not answer this resolver.
pub fn is_listing(answer: Ipv4Addr) -> bool {
    let octets = answer.octets();
    octets[0] == 127 && answer != Ipv4Addr::LOCALHOST && octets[..3] != [127, 255, 255]
}

/// All of `[[dnsbl]]`, as meant.
pub(crate) fn meant(written: &[WrittenDnsbl], reading: &mut Reading<'_>) -> Vec<Dnsbl> {
    if written.len() > ZONES_MAX {
        let message = format!("there are {} lists, and at most {ZONES_MAX} are asked", written.len());
        reading.wrong(&format!("dnsbl[{ZONES_MAX}]"), message, "keep those that find something");
    }
    let mut lists: Vec<Dnsbl> = Vec::with_capacity(written.len());
    for (index, entry) in written.iter().enumerate() {
        let path = format!("dnsbl[{index}]");
        let Some(list) = entry.meant(&path, reading) else { continue };
        let same = |known: &Dnsbl| (&known.zone, known.kind) == (&list.zone, list.kind) || known.name == list.name;
        if lists.iter().any(same) {
            reading.wrong(&path, format!("\"{}\" is listed twice", list.name), "remove one of the two");
        } else {
            lists.push(list);
        }
    }
    lists
}

impl WrittenDnsbl {
    fn meant(&self, path: &str, reading: &mut Reading<'_>) -> Option<Dnsbl> {
        let zone = reading.parsed(&format!("{path}.zone"), zone(&self.zone));
        if self.weight == 0 {
            let message = format!("`{path}.weight` is 0: the list would be asked for nothing");
            reading.wrong(&format!("{path}.weight"), message, "a weight above 0 against, below 0 for those it lists");
        }
        if let Some(name) = self.name.as_deref().filter(|name| !is_name(name)) {
            let message = format!("`{path}.name`: \"{name}\" is no name of a list");
            reading.wrong(&format!("{path}.name"), message, "1 to 64 of letters, digits, and the signs . - _");
        }
        if self.codes.is_empty() || self.codes.len() > CODES_MAX {
            let message = format!("`{path}.codes` has {} codes, not 1 to {CODES_MAX}", self.codes.len());
            reading.wrong(&format!("{path}.codes"), message, "the answers that the list documents, as \"127.0.0.2\"");
        }
        let codes = reading.each(&format!("{path}.codes"), &self.codes, |text| code(text, self.weight));
        if codes.iter().any(|code| (code.weight < 0) != (self.weight < 0)) {
            let message = format!("`{path}.codes`: one list speaks either for those that it has or against them");
            reading.wrong(&format!("{path}.codes"), message, "weights that are all above 0, or all below");
        }
        let zone: Arc<str> = zone?.into();
        let name = self.name.as_deref().map_or_else(|| Arc::clone(&zone), Arc::from);
        let mode = match self.mode {
            access::Mode::Enforce => Mode::Enforce,
            access::Mode::Observe => Mode::Observe,
        };
        Some(Dnsbl { zone, name, kind: self.kind, codes, mode })
    }
}

fn zone(text: &str) -> Result<String, Unreadable> {
    let zone = value::host_name(text)?.as_str().to_owned();
    if zone.len() > ZONE_OCTETS_MAX {
        return unreadable(format!("\"{zone}\" is longer than {ZONE_OCTETS_MAX} octets"), "a shorter one");
    }
    Ok(zone)
}

fn is_name(name: &str) -> bool {
    let sign = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(sign)
}

fn code(text: &str, weight: i32) -> Result<Code, Unreadable> {
    const FORM: &str =
        "\"127.0.0.2\", \"127.0.0.4-127.0.0.7\", \"127.0.0.0/28\", \"&0.0.0.4\", with \"=5\" behind it if need be";
    let (answers, own) = text.split_once('=').map_or((text, None), |(answers, own)| (answers, Some(own)));
    let weight = match own.map(str::parse::<i32>) {
        None => weight,
        Some(Ok(own)) if own != 0 && own.abs() <= WEIGHT_MAX => own,
        Some(_) => {
            return unreadable(format!("\"{text}\" has no weight of -{WEIGHT_MAX} to {WEIGHT_MAX}, not 0"), FORM);
        }
    };
    let Some(which) = codes(answers) else { return unreadable(format!("\"{answers}\" is no answer"), FORM) };
    if !which.can_be_listings() {
        let message = format!(
            "\"{answers}\" is no listing: those are within 127.0.0.0/8, without 127.0.0.1 and 127.255.255.0/24"
        );
        return unreadable(message, FORM);
    }
    Ok(Code { which, weight })
}

fn codes(text: &str) -> Option<Codes> {
    if let Some(mask) = text.strip_prefix('&') {
        let mask: Ipv4Addr = mask.parse().ok()?;
        let bits = mask.to_bits();
        return (mask.octets()[0] == 0 && bits != 0).then_some(Codes::Bits(bits));
    }
    if let Some((first, last)) = text.split_once('-') {
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        return (first <= last).then_some(Codes::Range(first, last));
    }
    if text.contains('/') {
        let net: Ipv4Net = text.parse().ok()?;
        return Some(Codes::Range(net.network(), net.broadcast()));
    }
    let one = text.parse().ok()?;
    Some(Codes::Range(one, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(codes: &[&str], answer: Ipv4Addr) -> Option<i32> {
        let mut codes = codes.iter().map(|text| code(text, 5).unwrap_or_else(|why| panic!("{text}: {}", why.message)));
        let code = codes.find(|code| code.which.has(answer));
        code.filter(|_| is_listing(answer)).map(|code| code.weight)
    }

    #[test]
    fn only_declared_answers_count() {
        let table: &[(&[&str], &str, Option<i32>)] = &[
            (&["127.0.0.2"], "127.0.0.2", Some(5)),
            (&["127.0.0.2"], "127.0.0.3", None),
            (&["127.0.0.4-127.0.0.7=9", "127.0.0.2"], "127.0.0.7", Some(9)),
            (&["127.0.0.4-127.0.0.7=9", "127.0.0.2"], "127.0.0.8", None),
            (&["127.0.0.0/28"], "127.0.0.15", Some(5)),
            (&["127.0.0.0/28"], "127.0.0.1", None),
            (&["&0.0.0.4=2"], "127.0.1.6", Some(2)),
            (&["&0.0.0.4=2"], "127.0.1.8", None),
            (&["&0.0.0.4=2"], "127.255.255.254", None),
            (&["&0.0.0.1"], "127.0.0.1", None),
            (&["&0.0.0.4"], "192.0.2.4", None),
        ];
        for (codes, answer, expected) in table {
            assert_eq!(weight(codes, answer.parse().unwrap()), *expected, "{codes:?} {answer}");
        }
    }

    #[test]
    fn what_can_be_no_listing_is_no_code() {
        let table = [
            "",
            "127.0.0",
            "127.0.0.1",
            "127.255.255.254",
            "127.0.0.2-127.255.255.255",
            "192.0.2.1",
            "0.0.0.0/0",
            "&0.0.0.0",
            "&127.0.0.0",
            "127.0.0.7-127.0.0.4",
            "127.0.0.2=0",
            "127.0.0.2=101",
            "127.0.0.2=x",
            "127.0.0.0/33",
            "127.0.0.0/8",
        ];
        for text in table {
            assert!(code(text, 5).is_err(), "{text}");
            assert!(text.contains('=') || Codes::parse(text).is_none(), "{text}");
        }
    }
}
