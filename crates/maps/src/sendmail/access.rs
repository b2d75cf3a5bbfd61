//! Which keys sendmail's rulesets try in `access_db`, with its tags. The names of the functions are those of the rulesets
//! in cf/m4/proto.m4.

use std::net::{IpAddr, Ipv6Addr};

use crate::found::Found;
use crate::key::fold;
use crate::sendmail::tag::Tag;
use crate::store::Store;
use crate::subject::Subject;

/// An access database, and what sets a detail apart from its user.
#[derive(Clone, Copy)]
pub(crate) struct AccessDb<'a> {
    pub(crate) store: &'a Store,
    /// `None`: nothing does.
    pub(crate) detail_delimiter: Option<char>,
}

impl<'a> AccessDb<'a> {
    /// Of `check_relay`, `check_mail`, `check_rcpt`.
    pub(crate) fn check(self, subject: Subject<'_>) -> Option<Found<'a>> {
        match subject {
            Subject::Client { .. } => self.tagged(Tag::Connect, subject),
            Subject::Sender("") | Subject::Helo(_) => None,
            Subject::Sender(_) => self.tagged(Tag::From, subject),
            Subject::Recipient(_) | Subject::LocalRecipient(_) => self.tagged(Tag::To, subject),
        }
    }

    /// The look-ups with a tag.
    pub(crate) fn tagged(self, tag: Tag, subject: Subject<'_>) -> Option<Found<'a>> {
        let mut asked = Asked::new(self, tag);
        match subject {
            Subject::Client { addr, name } => asked.client(addr, name),
            Subject::Helo(name) => asked.look_up_domain(&fold(name)),
            Subject::Sender(path) | Subject::LocalRecipient(path) => asked.search_list(&fold(path), Whose::Ours),
            Subject::Recipient(path) => asked.search_list(&fold(path), Whose::Others),
        }
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
pub(crate) fn uncompressed(addr: Ipv6Addr) -> String {
    addr.segments().map(|part| format!("{part:x}")).join(":")
}

/// Whose an address is: `user@` is looked up for those of ours and for senders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Others,
}

/// The database with a tag. Keys are folded already.
struct Asked<'a> {
    db: AccessDb<'a>,
    tag: Tag,
    /// The tag, and behind it the key that was asked for last.
    key: String,
    tag_octets: usize,
}

impl<'a> Asked<'a> {
    fn new(db: AccessDb<'a>, tag: Tag) -> Self {
        let key = format!("{}:", fold(tag.as_str()));
        Self { db, tag, tag_octets: key.len(), key }
    }

    fn client(&mut self, addr: IpAddr, name: Option<&str>) -> Option<Found<'a>> {
        let addr = client_addr(addr);
        // These two know addresses only, and a limit for all others.
        if matches!(self.tag, Tag::ClientRate | Tag::ClientConn) {
            return self.look_up_address(&addr).or_else(|| self.exact(&[""]));
        }
        let by_name = match name {
            Some(name) => self.look_up_domain(&fold(name.trim_end_matches('.'))),
            None => self.look_up_domain(&format!("[{addr}]")),
        };
        by_name.or_else(|| self.look_up_address(&addr))
    }

    /// One key, in pieces, with the tag, then without it if the tag allows it.
    fn exact(&mut self, pieces: &[&str]) -> Option<Found<'a>> {
        self.key.truncate(self.tag_octets);
        for piece in pieces {
            self.key.push_str(piece);
        }
        let store = self.db.store;
        let tagged = store.get(&self.key);
        tagged.or_else(|| self.tag.also_untagged().then(|| store.get(&self.key[self.tag_octets..]))?)
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
            let found = if brackets.is_some() { self.exact(&["[", rest, "]"]) } else { self.exact(&[rest]) };
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
            if let Some(found) = self.exact(&[rest]) {
                return Self::unless_skip(found);
            }
            rest = without_last(rest)?;
        }
    }

    /// F and U: a key with `user+detail` before its `@`: as it stands, as `user+*`, as `user`. U has no domain.
    fn look_up_full(&mut self, local: &str, domain: &str) -> Option<Found<'a>> {
        if let Some(found) = self.exact(&[local, "@", domain]) {
            return Some(found);
        }
        let delimiter = self.db.detail_delimiter?;
        let (at, _) = local.char_indices().skip(1).find(|(_, c)| *c == delimiter)?;
        let (user, with_delimiter) = (&local[..at], &local[..at + delimiter.len_utf8()]);
        self.exact(&[with_delimiter, "*@", domain]).or_else(|| self.exact(&[user, "@", domain]))
    }

    /// F, U and D in the order of the rulesets, for an address of ours; without U for another's.
    fn search_list(&mut self, path: &str, whose: Whose) -> Option<Found<'a>> {
        let Some((local, domain)) = path.rsplit_once('@') else {
            return self.look_up_full(path, "");
        };
        let domain = domain.trim_end_matches('.');
        if let Some(found) = self.look_up_full(local, domain) {
            return Some(found);
        }
        if whose == Whose::Others {
            return self.look_up_domain(domain);
        }
        // check_rcpt asks for the user last when it is about spam.
        if self.tag == Tag::Spam {
            return self.look_up_domain(domain).or_else(|| self.look_up_full(local, ""));
        }
        self.look_up_full(local, "").or_else(|| self.look_up_domain(domain))
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
