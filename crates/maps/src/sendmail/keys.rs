//! Which keys sendmail's rulesets try: `access_db` with its tags, `mailertable`, the classes `w` and `R`, and the older
//! `deny`. The names of the functions are those of the rulesets in cf/m4/proto.m4.

use std::net::{IpAddr, Ipv6Addr};

use smtp::address::Domain;

use crate::action::Action;
use crate::fold::fold;
use crate::mistake::{Notes, shown};
use crate::postfix::keys as smtpd;
use crate::subject::{Subject, Tag};
use crate::table::{Found, Table};

/// Tags that the rulesets know, folded.
const TAGS: [&str; 20] = [
    "connect",
    "from",
    "to",
    "spam",
    "greetpause",
    "clientrate",
    "clientconn",
    "certissuer",
    "certsubject",
    "tls_srv",
    "tls_clt",
    "tls_rcpt",
    "try_tls",
    "srv_features",
    "clt_features",
    "tls_srv_features",
    "tls_clt_features",
    "authinfo",
    "cfe",
    "dane",
];

/// A key that no look-up will ever use is worth a word.
pub(crate) fn check_key(key: &str, line: u32, notes: &mut Notes) {
    let (tag, rest) = match key.split_once(':') {
        Some((tag, rest)) if tag != "ipv6" && !tag.contains(['@', '.', '[']) => (tag, rest),
        _ => ("", key),
    };
    if !tag.is_empty() && !TAGS.contains(&tag) {
        notes.warn(line, || format!("{} is no tag that sendmail looks up", shown(tag)));
    }
    let compressed = rest.strip_prefix("ipv6:").and_then(|addr| addr.parse::<Ipv6Addr>().ok());
    if let Some(addr) = compressed.filter(|addr| rest[5..] != uncompressed(*addr)) {
        notes.warn(line, || format!("sendmail looks addresses up in full: write IPv6:{}", uncompressed(addr)));
    }
    if rest.strip_suffix('.').is_some_and(|r| r.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !r.is_empty()) {
        notes.warn(line, || format!("{} is never looked up: octets stand without a dot at their end", shown(rest)));
    }
}

/// A value that sendmail would send as the text of a refusal, though it was hardly meant so.
pub(crate) fn check_value(line: u32, (key, value): (&str, &str), notes: &mut Notes) {
    let judged = !key.contains(':') || ["connect:", "from:", "to:", "ipv6:"].iter().any(|tag| key.starts_with(tag));
    if judged && matches!(Action::parse(crate::Kind::SendmailAccess, value), Action::Unsupported(_)) {
        notes.warn(line, || format!("{} is none of sendmail's words: it refuses, with this as its text", shown(value)));
    }
}

/// Of `check_relay`, `check_mail`, `check_rcpt`.
pub(crate) fn access<'a>(table: &'a Table, subject: Subject<'_>) -> Option<Found<'a>> {
    match subject {
        Subject::Client { .. } => tagged(table, Tag::Connect, subject),
        Subject::Sender("") | Subject::Helo(_) => None,
        Subject::Sender(_) => tagged(table, Tag::From, subject),
        Subject::Recipient(_) | Subject::LocalRecipient(_) => tagged(table, Tag::To, subject),
    }
}

/// The look-ups with a tag.
pub(crate) fn tagged<'a>(table: &'a Table, tag: Tag, subject: Subject<'_>) -> Option<Found<'a>> {
    let mut asked = Asked::new(table, tag);
    match subject {
        Subject::Client { addr, name } => {
            let addr = client_addr(addr);
            // These two know addresses only, and a limit for all others.
            if matches!(tag, Tag::ClientRate | Tag::ClientConn) {
                return asked.look_up_address(&addr).or_else(|| asked.exact(""));
            }
            let by_name = match name {
                Some(name) => asked.look_up_domain(&fold(name.trim_end_matches('.'))),
                None => asked.look_up_domain(&format!("[{addr}]")),
            };
            by_name.or_else(|| asked.look_up_address(&addr))
        }
        Subject::Helo(name) => asked.look_up_domain(&fold(name)),
        Subject::Sender(path) | Subject::LocalRecipient(path) => asked.search_list(&fold(path), true),
        Subject::Recipient(path) => asked.search_list(&fold(path), false),
    }
}

/// `${client_addr}`, folded.
fn client_addr(addr: IpAddr) -> String {
    match addr.to_canonical() {
        IpAddr::V4(addr) => addr.to_string(),
        IpAddr::V6(addr) => format!("ipv6:{}", uncompressed(addr)),
    }
}

/// Without `::`, as sendmail writes it unless `UseCompressedIPv6Addresses` is set.
fn uncompressed(addr: Ipv6Addr) -> String {
    addr.segments().map(|part| format!("{part:x}")).join(":")
}

/// The table with a tag. Keys are folded already.
struct Asked<'a> {
    table: &'a Table,
    tag: Tag,
    /// The tag, and behind it the key that was asked for last.
    key: String,
    tag_octets: usize,
}

impl<'a> Asked<'a> {
    fn new(table: &'a Table, tag: Tag) -> Self {
        let key = format!("{}:", fold(tag.as_str()));
        Self { table, tag, tag_octets: key.len(), key }
    }

    /// One key, with the tag, then without it if the tag allows it.
    fn exact(&mut self, key: &str) -> Option<Found<'a>> {
        self.exact_of(&[key])
    }

    /// The same for a key in pieces.
    fn exact_of(&mut self, pieces: &[&str]) -> Option<Found<'a>> {
        self.key.truncate(self.tag_octets);
        for piece in pieces {
            self.key.push_str(piece);
        }
        let tagged = self.table.get_folded(&self.key);
        tagged.or_else(|| self.tag.also_untagged().then(|| self.table.get_folded(&self.key[self.tag_octets..]))?)
    }

    /// `SKIP` ends a search as if nothing had been there.
    fn unless_skip(found: Found<'a>) -> Option<Found<'a>> {
        (!found.value.eq_ignore_ascii_case("SKIP")).then_some(found)
    }

    /// D: a domain, and those above it; of `[1.2.3.4]` the octets from the left.
    fn look_up_domain(&mut self, name: &str) -> Option<Found<'a>> {
        let brackets = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let mut rest = brackets.unwrap_or(name);
        loop {
            let found = if brackets.is_some() { self.exact_of(&["[", rest, "]"]) } else { self.exact(rest) };
            if let Some(found) = found {
                return Self::unless_skip(found);
            }
            rest = if brackets.is_some() { without_last(rest)? } else { &rest[dot_after_label(rest)? + 1..] };
        }
    }

    /// A: an address, and its first octets, or those of its first 16-bit parts.
    fn look_up_address(&mut self, addr: &str) -> Option<Found<'a>> {
        let mut rest = addr;
        loop {
            if let Some(found) = self.exact(rest) {
                return Self::unless_skip(found);
            }
            rest = without_last(rest)?;
        }
    }

    /// F and U: a key with `user+detail` before its `@`: as it stands, as `user+*`, as `user`. U has no domain.
    fn look_up_full(&mut self, local: &str, domain: &str) -> Option<Found<'a>> {
        if let Some(found) = self.exact_of(&[local, "@", domain]) {
            return Some(found);
        }
        let plus = local.char_indices().skip(1).find(|(_, c)| *c == '+')?.0;
        let user = &local[..plus];
        self.exact_of(&[user, "+*@", domain]).or_else(|| self.exact_of(&[user, "@", domain]))
    }

    /// F, U and D in the order of the rulesets, for an address of ours; without U for another's.
    fn search_list(&mut self, path: &str, with_user: bool) -> Option<Found<'a>> {
        let Some((local, domain)) = path.rsplit_once('@') else {
            return self.look_up_full(path, "");
        };
        let domain = domain.trim_end_matches('.');
        if let Some(found) = self.look_up_full(local, domain) {
            return Some(found);
        }
        // check_rcpt asks for the user last when it is about spam.
        let user_last = self.tag == Tag::Spam;
        if let Some(found) = (with_user && !user_last).then(|| self.look_up_full(local, "")).flatten() {
            return Some(found);
        }
        if let Some(found) = self.look_up_domain(domain) {
            return Some(found);
        }
        (with_user && user_last).then(|| self.look_up_full(local, ""))?
    }
}

/// The first dot that has something before it.
fn dot_after_label(name: &str) -> Option<usize> {
    name.char_indices().skip(1).find(|(at, c)| *c == '.' && at + 1 < name.len()).map(|(at, _)| at)
}

/// Without the last part of an address, of either family.
fn without_last(addr: &str) -> Option<&str> {
    let at = addr.rfind([':', '.'])?;
    Some(addr[..at].trim_end_matches(':')).filter(|rest| !rest.is_empty())
}

/// The older `deny`: clients by address, its first octets, and name; senders by address and domain.
pub(crate) fn deny<'a>(table: &'a Table, subject: Subject<'_>) -> Option<Found<'a>> {
    match subject {
        Subject::Client { addr, name } => smtpd::address(table, &addr.to_canonical().to_string())
            .or_else(|| name.and_then(|name| upwards(table, name.trim_end_matches('.')))),
        Subject::Sender(path) if !path.is_empty() => table.get(path).or_else(|| {
            let (_, domain) = path.rsplit_once('@')?;
            match domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
                Some(literal) => smtpd::address(table, literal.strip_prefix("IPv6:").unwrap_or(literal)),
                None => upwards(table, domain.trim_end_matches('.')),
            }
        }),
        _ => None,
    }
}

/// A domain and those above it.
fn upwards<'a>(table: &'a Table, domain: &str) -> Option<Found<'a>> {
    let mut rest = domain;
    loop {
        if let Some(found) = table.get(rest) {
            return Some(found);
        }
        rest = rest.split_once('.')?.1;
    }
}

/// Domains of recipients: of class `w` themselves, of `R` those below too, of a mailertable `.domain` and `.`.
pub(crate) fn domains<'a>(table: &'a Table, subject: Subject<'_>) -> Option<Found<'a>> {
    let (Subject::Recipient(path) | Subject::LocalRecipient(path)) = subject else { return None };
    let domain = path.rsplit_once('@')?.1.trim_end_matches('.');
    if domain.is_empty() {
        return None;
    }
    match table.kind() {
        crate::Kind::LocalHostNames => table.get(domain),
        crate::Kind::RelayDomains => upwards(table, domain),
        _ => mailertable(table, domain),
    }
}

/// The domain itself, `.parent` for each above it, `.` for all; `%1` is what stood before the parent.
fn mailertable<'a>(table: &'a Table, domain: &str) -> Option<Found<'a>> {
    let with = |found: Found<'a>, before: &str| {
        let Found { value, line } = found;
        let value = if value.contains('%') { value.replace("%1", before).into() } else { value };
        Found { value, line }
    };
    if let Some(found) = table.get(domain) {
        return Some(with(found, ""));
    }
    for (dot, _) in domain.match_indices('.') {
        if let Some(found) = table.get(&domain[dot..]) {
            return Some(with(found, &domain[..dot]));
        }
    }
    table.get(".").map(|found| with(found, domain))
}

/// Whether a key of `deny` is an address, a domain, or an IP address or its first octets.
pub(crate) fn deny_key(key: &str) -> Result<(), String> {
    if let Some((local, domain)) = key.rsplit_once('@') {
        return if local.is_empty() { Err(format!("{} has no user", shown(key))) } else { domain_name(domain) };
    }
    if key.contains(':') && key.parse::<Ipv6Addr>().is_ok() {
        return Ok(());
    }
    if key.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let octets: Vec<&str> = key.split('.').collect();
        let fine = octets.len() <= 4 && octets.iter().all(|o| o.parse::<u8>().is_ok_and(|n| n.to_string() == **o));
        return if fine { Ok(()) } else { Err(format!("{} is no address and no octets of one", shown(key))) };
    }
    domain_name(key)
}

/// Whether a text is a domain's name.
pub(crate) fn domain_name(text: &str) -> Result<(), String> {
    let bare = text.strip_prefix('.').unwrap_or(text);
    Domain::parse(bare).map(|_| ()).map_err(|_| format!("{} is no domain", shown(text)))
}

/// A key as entries of the relay policy want it: the tag, and the rest. Folded keys have folded tags.
pub(crate) fn split_tag(key: &str) -> (Option<Tag>, &str) {
    for tag in [Tag::Connect, Tag::From, Tag::To, Tag::Spam, Tag::GreetPause, Tag::ClientRate, Tag::ClientConn] {
        let folded = fold(tag.as_str());
        if let Some(rest) = key.strip_prefix(folded.as_ref()).and_then(|rest| rest.strip_prefix(':')) {
            return (Some(tag), rest);
        }
    }
    (None, key)
}
