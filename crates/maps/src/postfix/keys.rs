//! Which keys Postfix's smtpd tries for a client, a name, or an address: access(5), in that order. Domains below one that
//! stands in a table are meant, too: `smtpd_access_maps` is in `parent_domain_matches_subdomains`, as by default.

use std::cell::RefCell;
use std::net::IpAddr;

use crate::found::Found;
use crate::key::{address_prefixes, fold};
use crate::subject::Subject;

/// The key for the null reverse-path: the default of `smtpd_null_access_lookup_key`.
const NULL_SENDER: &str = "<>";

/// The name of a client that has none.
const UNKNOWN: &str = "unknown";

/// Users whose name has no detail.
const NEVER_EXTENDED: [&str; 3] = ["postmaster", "mailer-daemon", "double-bounce"];

/// A table of patterns or networks is asked for the whole only.
pub(crate) fn whole<'a>(get: impl Fn(&str) -> Option<Found<'a>>, subject: Subject<'_>) -> Option<Found<'a>> {
    match subject {
        Subject::Client { addr, name } => {
            get(name.unwrap_or(UNKNOWN)).or_else(|| get(&addr.to_canonical().to_string()))
        }
        Subject::Helo("") => None,
        Subject::Sender("") => get(NULL_SENDER),
        Subject::Helo(key) | Subject::Sender(key) | Subject::Recipient(key) | Subject::LocalRecipient(key) => get(key),
    }
}

/// The keys of a subject, each once, in the order in which they are tried, folded.
pub(crate) fn of(subject: Subject<'_>, detail_delimiter: Option<char>) -> Vec<String> {
    let keys = RefCell::new(Vec::new());
    let note = |key: &str| {
        let key = fold(key).into_owned();
        let mut keys = keys.borrow_mut();
        if !keys.contains(&key) {
            keys.push(key);
        }
        None
    };
    Indexed { look_up: note, detail_delimiter }.check(subject);
    keys.into_inner()
}

/// A table of fixed keys, and what sets a detail apart from its user.
pub(crate) struct Indexed<F> {
    pub(crate) look_up: F,
    /// `None`: nothing does.
    pub(crate) detail_delimiter: Option<char>,
}

impl<'a, F: Fn(&str) -> Option<Found<'a>>> Indexed<F> {
    /// It is asked for the parts, too.
    pub(crate) fn check(&self, subject: Subject<'_>) -> Option<Found<'a>> {
        match subject {
            Subject::Client { addr, name } => {
                self.domain(name.unwrap_or(UNKNOWN)).or_else(|| self.address(&addr.to_canonical().to_string()))
            }
            Subject::Helo(name) => self.domain(name),
            Subject::Sender("") => (self.look_up)(NULL_SENDER),
            Subject::Sender(path) | Subject::Recipient(path) | Subject::LocalRecipient(path) => self.mailbox(path),
        }
    }

    /// A name, and the domains above it, the last label too. A name that is an address has none above it.
    fn domain(&self, name: &str) -> Option<Found<'a>> {
        let has_parents = name.parse::<IpAddr>().is_err();
        let mut rest = name;
        while !rest.is_empty() {
            if let Some(found) = (self.look_up)(rest) {
                return Some(found);
            }
            // A dot at the beginning parts nothing.
            let dot = rest.char_indices().skip(1).find(|(_, c)| *c == '.').map(|(at, _)| at);
            rest = dot.filter(|_| has_parents).map(|dot| &rest[dot + 1..])?;
        }
        None
    }

    fn address(&self, text: &str) -> Option<Found<'a>> {
        address_prefixes(text).find_map(|key| (self.look_up)(key))
    }

    /// `user+detail@domain`, `user@domain`, the domain and those above it, `user+detail@`, `user@`.
    fn mailbox(&self, path: &str) -> Option<Found<'a>> {
        let (local, domain) = path.rsplit_once('@').unwrap_or((path, ""));
        let bare = self.without_detail(local);
        if let Some(found) = (self.look_up)(path) {
            return Some(found);
        }
        let bare_path = bare.filter(|_| path.len() > local.len()).map(|bare| format!("{bare}@{domain}"));
        if let Some(found) = bare_path.and_then(|path| (self.look_up)(&path)) {
            return Some(found);
        }
        self.domain(domain)
            .or_else(|| (self.look_up)(&format!("{local}@")))
            .or_else(|| bare.and_then(|bare| (self.look_up)(&format!("{bare}@"))))
    }

    /// The user without the detail, if there is one.
    fn without_detail<'l>(&self, local: &'l str) -> Option<&'l str> {
        if NEVER_EXTENDED.iter().any(|name| local.eq_ignore_ascii_case(name)) {
            return None;
        }
        let delimiter = self.detail_delimiter?;
        // `owner-list` and `list-request` are names of their own where the hyphen is the delimiter.
        let lower = local.to_ascii_lowercase();
        if delimiter == '-' && (lower.starts_with("owner-") || lower.ends_with("-request")) {
            return None;
        }
        let at = local.find(delimiter).filter(|at| *at > 0)?;
        Some(&local[..at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Table};

    fn table(kind: Kind, text: &str) -> Table {
        Table::parse(kind, "t", text).unwrap()
    }

    fn said(table: &Table, subject: Subject<'_>) -> Option<String> {
        table.smtpd(subject).map(|found| found.value.into_owned())
    }

    fn client<'n>(addr: &str, name: Option<&'n str>) -> Subject<'n> {
        Subject::Client { addr: addr.parse().unwrap(), name }
    }

    #[test]
    fn a_client_is_looked_up_by_name_then_by_address() {
        let table = table(
            Kind::Access,
            "mx.example.com host\nexample.com domain\ncom top\n1.2.3.4 addr\n1.2 net\n2001:db8 v6\n2001:db8:: never\n\
             2001:db8: colon\nunknown noname\n::1 loop\n.dot.example dotted\n9.9.9.9 nine\n9.9 never\n",
        );
        let cases = [
            (client("1.2.3.4", Some("mx.example.com")), Some("host")),
            (client("1.2.3.4", Some("MX2.Example.COM")), Some("domain")),
            (client("1.2.3.4", Some("a.org")), Some("addr")),
            (client("1.2.9.9", Some("a.org")), Some("net")),
            (client("::ffff:1.2.3.4", Some("a.org")), Some("addr")),
            (client("1.2.3.4", None), Some("noname")),
            (client("2001:db8::77", Some("a.org")), Some("colon")),
            (client("2001:db8:1::77", Some("a.org")), Some("v6")),
            (client("::1", Some("a.org")), Some("loop")),
            (client("5.5.5.5", Some("x.dot.example")), None),
            (Subject::Helo("mail.example.com"), Some("domain")),
            (Subject::Helo("9.9.9.9"), Some("nine")),
            (Subject::Helo("5.9.9.9.9"), Some("nine")),
            (Subject::Helo("5.5.9.9"), None),
            (Subject::Helo("com."), None),
            (Subject::Helo("net.com"), Some("top")),
        ];
        for (subject, value) in cases {
            assert_eq!(said(&table, subject).as_deref(), value, "{subject:?}");
        }
    }

    #[test]
    fn an_address_is_looked_up_by_its_parts() {
        let table = table(
            Kind::Access,
            "u+x@d.example full\nu@d.example bare\nexample domain\nv+y@ ext\nv@ user\n<> null\npostmaster@ pm\n",
        );
        for (path, value) in [
            ("u+x@d.example", Some("full")),
            ("U+Z@D.Example", Some("bare")),
            ("u@d.example", Some("bare")),
            ("w@d.example", Some("domain")),
            ("v+y@a.org", Some("ext")),
            ("v+z@a.org", Some("user")),
            ("+v@a.org", None),
            ("", Some("null")),
            ("v", Some("user")),
            ("postmaster@a.org", Some("pm")),
        ] {
            assert_eq!(said(&table, Subject::Sender(path)).as_deref(), value, "{path}");
        }
        let no_extensions = Table::parse(Kind::Access, "t", "u@ x").unwrap().with_detail_delimiter(None);
        assert_eq!(said(&no_extensions, Subject::Recipient("u+x@a.org")), None);
        let hyphen = Table::parse(Kind::Access, "t", "u@ x\nowner@ y").unwrap().with_detail_delimiter(Some('-'));
        assert_eq!(said(&hyphen, Subject::Recipient("u-x@a.org")).as_deref(), Some("x"));
        assert_eq!(said(&hyphen, Subject::Recipient("owner-x@a.org")), None);
    }

    #[test]
    fn a_database_is_asked_for_the_same_keys() {
        let of = |subject| super::of(subject, Some('+'));
        let addr = client("192.0.2.7", Some("MX.Example.com"));
        let expected = ["mx.example.com", "example.com", "com", "192.0.2.7", "192.0.2", "192.0", "192"];
        assert_eq!(of(addr), expected);
        let expected = ["u+x@d.example", "u@d.example", "d.example", "example", "u+x@", "u@"];
        assert_eq!(of(Subject::Recipient("U+x@D.example")), expected);
        assert_eq!(of(Subject::Sender("")), ["<>"]);
    }

    #[test]
    fn patterns_see_the_whole_only() {
        let cidr = table(Kind::Cidr, "1.2.3.0/24 net\n");
        assert_eq!(said(&cidr, client("1.2.3.4", Some("a.org"))).as_deref(), Some("net"));
        assert_eq!(said(&cidr, Subject::Helo("1.2.3.4")).as_deref(), Some("net"));
        let regexp = table(Kind::Regexp, "/^example\\.com$/ domain\n/^u@/ user\n/^<>$/ null\n");
        assert_eq!(said(&regexp, Subject::Helo("a.example.com")), None);
        assert_eq!(said(&regexp, Subject::Sender("u@example.com")).as_deref(), Some("user"));
        assert_eq!(said(&regexp, Subject::Sender("v@example.com")), None);
        assert_eq!(said(&regexp, Subject::Sender("")).as_deref(), Some("null"));
    }
}
