//! Parameters of MAIL, RCPT and XCLIENT: `KEYWORD` or `KEYWORD=value`, each at most once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::CommandError;
use crate::address::Mailbox;
use crate::dsn::{Notify, Ret};
use crate::server::envelope::{BodyKind, MailParams, RcptParams, SubmittedBy, XClient};
use crate::xtext;

/// Longest envelope id, in octets of xtext (RFC 3461 §4.4).
const ENVID_OCTETS_MAX: usize = 100;
/// Longest original recipient, in octets (RFC 3461 §4.2).
const ORCPT_OCTETS_MAX: usize = 500;

/// Keyword and value of each word.
fn parameters(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    super::words(text).map(|word| match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    })
}

/// Fills a place once.
fn once<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    let value = value?;
    place.replace(value).is_none().then_some(())
}

pub(super) fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

pub(super) fn mail(text: &str) -> Result<MailParams, CommandError<'_>> {
    let mut params = MailParams::default();
    let mut smtputf8 = None;
    for (keyword, value) in parameters(text) {
        let done = match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => once(&mut params.size, value.and_then(number)),
            "BODY" => once(&mut params.body, value.and_then(body)),
            "SMTPUTF8" => once(&mut smtputf8, value.is_none().then_some(())),
            "AUTH" => once(&mut params.auth, value.and_then(submitted_by)),
            "RET" => once(&mut params.ret, value.and_then(ret)),
            "ENVID" => once(&mut params.envid, value.and_then(envid)),
            _ => return Err(CommandError::UnknownParameter(keyword)),
        };
        done.ok_or(CommandError::BadParameter(keyword))?;
    }
    params.smtputf8 = smtputf8.is_some();
    Ok(params)
}

pub(super) fn rcpt(text: &str) -> Result<RcptParams, CommandError<'_>> {
    let mut said = None;
    let mut orcpt = None;
    for (keyword, value) in parameters(text) {
        let done = match keyword.to_ascii_uppercase().as_str() {
            "NOTIFY" => once(&mut said, value.and_then(notify)),
            "ORCPT" => once(&mut orcpt, value.and_then(original_recipient)),
            _ => return Err(CommandError::UnknownParameter(keyword)),
        };
        done.ok_or(CommandError::BadParameter(keyword))?;
    }
    Ok(RcptParams { notify: said.unwrap_or_default(), orcpt })
}

fn body(value: &str) -> Option<BodyKind> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Some(BodyKind::SevenBit),
        "8BITMIME" => Some(BodyKind::EightBitMime),
        _ => None,
    }
}

/// What is no mailbox counts as unknown: the parameter is only a claim (RFC 4954 §5).
fn submitted_by(value: &str) -> Option<SubmittedBy> {
    let text = String::from_utf8(xtext::decode(value)?).ok()?;
    Some(Mailbox::parse(&text).map_or(SubmittedBy::Unknown, SubmittedBy::Mailbox))
}

fn ret(value: &str) -> Option<Ret> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Some(Ret::Full),
        "HDRS" => Some(Ret::Headers),
        _ => None,
    }
}

fn envid(value: &str) -> Option<String> {
    ((1..=ENVID_OCTETS_MAX).contains(&value.len()) && printable_xtext(value)).then(|| value.to_owned())
}

/// Xtext that hides no control characters: it ends up in the headers of a report.
fn printable_xtext(value: &str) -> bool {
    xtext::decode(value).is_some_and(|octets| octets.iter().all(|b| (b' '..=b'~').contains(b)))
}

fn notify(value: &str) -> Option<Notify> {
    let mut all = Notify::DEFAULT;
    for word in value.split(',') {
        let one = match word.to_ascii_uppercase().as_str() {
            "NEVER" => Notify::NEVER,
            "SUCCESS" => Notify::SUCCESS,
            "FAILURE" => Notify::FAILURE,
            "DELAY" => Notify::DELAY,
            _ => return None,
        };
        all = all.with(one);
    }
    let contradicts = all.has(Notify::NEVER) && all != Notify::NEVER;
    (!contradicts).then_some(all)
}

fn original_recipient(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let named = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let fits = value.len() <= ORCPT_OCTETS_MAX && !address.is_empty() && printable_xtext(address);
    (named && fits).then(|| value.to_owned())
}

/// Attributes of XCLIENT; values are in xtext.
pub(super) fn xclient(text: &str) -> Option<XClient> {
    let mut facts = XClient::default();
    let mut any = false;
    for (keyword, value) in parameters(text) {
        any = true;
        let value = String::from_utf8(xtext::decode(value?)?).ok()?;
        if !value.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let known = !matches!(&*value, "" | "[UNAVAILABLE]" | "[TEMPUNAVAIL]");
        match keyword.to_ascii_uppercase().as_str() {
            "ADDR" if known => facts.addr = Some(proxied_addr(&value)?),
            "NAME" if known => facts.name = Some(value),
            "HELO" if known => facts.helo = Some(value),
            "LOGIN" => facts.had_login = known,
            "ADDR" | "NAME" | "HELO" | "PORT" | "PROTO" | "DESTADDR" | "DESTPORT" => {}
            _ => return None,
        }
    }
    any.then_some(facts)
}

fn proxied_addr(value: &str) -> Option<IpAddr> {
    let tagged = value.split_at_checked(5).filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    match tagged {
        Some((_, rest)) => rest.parse::<Ipv6Addr>().ok().map(|addr| IpAddr::V6(addr).to_canonical()),
        None => value.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}
