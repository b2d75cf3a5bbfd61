//! Which kinds of file there are, and how an operator names one: `TYPE:FILE`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Whose file it is, and so how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Postfix, access(5): the source of an indexed table.
    Access,
    /// Postfix, cidr_table(5).
    Cidr,
    /// Postfix, pcre_table(5).
    Pcre,
    /// Postfix, regexp_table(5).
    Regexp,
    /// The source of a `hash:` table, or what was read from its database.
    Hash,
    /// The same of a `btree:` table.
    Btree,
    /// sendmail's access database, as `makemap` takes it: tagged and untagged.
    SendmailAccess,
    /// `/etc/mail/deny`: who is refused, each with a message.
    Deny,
    /// `/etc/mail/ip_allow`: addresses and octet prefixes that may relay.
    IpAllow,
    /// `/etc/mail/name_allow`: hosts and domains that may relay.
    NameAllow,
    /// `/etc/mail/relay_allow`: domains that mail is passed on to.
    RelayAllow,
    /// TCP wrapper's `hosts.allow`, hosts_access(5).
    HostsAllow,
    /// sendmail's class `w`: the domains that are ours.
    LocalHostNames,
    /// sendmail's class `R`: the domains and networks that we relay to and from.
    RelayDomains,
    /// sendmail's `mailertable`: where the mail of a domain goes.
    Mailertable,
    /// A MaxMind DB file: where addresses are.
    Mmdb,
    /// Postfix, sqlite_table(5): the file that says what is asked of which database.
    Sqlite,
    /// Postfix, pgsql_table(5): the same.
    Pgsql,
}

/// The words for them, in the order of the enum.
const WORDS: [(&str, Kind); 18] = [
    ("access", Kind::Access),
    ("cidr", Kind::Cidr),
    ("pcre", Kind::Pcre),
    ("regexp", Kind::Regexp),
    ("hash", Kind::Hash),
    ("btree", Kind::Btree),
    ("sendmail-access", Kind::SendmailAccess),
    ("deny", Kind::Deny),
    ("ip-allow", Kind::IpAllow),
    ("name-allow", Kind::NameAllow),
    ("relay-allow", Kind::RelayAllow),
    ("hosts-allow", Kind::HostsAllow),
    ("local-host-names", Kind::LocalHostNames),
    ("relay-domains", Kind::RelayDomains),
    ("mailertable", Kind::Mailertable),
    ("mmdb", Kind::Mmdb),
    ("sqlite", Kind::Sqlite),
    ("pgsql", Kind::Pgsql),
];

impl Kind {
    /// Whether it is a database that is asked each time, and may be away.
    pub fn is_database(self) -> bool {
        matches!(self, Self::Sqlite | Self::Pgsql)
    }

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        WORDS.iter().map(|(_, kind)| *kind)
    }

    /// The word for it, as in `TYPE:FILE`.
    pub fn as_str(self) -> &'static str {
        WORDS[self as usize].0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none of the kinds'.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no type of map; known are access, cidr, pcre, regexp, hash, btree, sendmail-access, deny, ip-allow, name-allow, relay-allow, hosts-allow, local-host-names, relay-domains, mailertable, mmdb, sqlite, pgsql"
)]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        let found = WORDS.iter().find(|(name, _)| *name == word);
        found.map(|(_, kind)| *kind).ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

/// A file and how it is read, as an operator writes it: `cidr:/etc/postfix/client.cidr`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    /// How it is read.
    pub kind: Kind,
    /// Where it is; not empty.
    pub path: String,
}

/// Why a text is no [`Spec`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The type is none.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    /// A database that is not taken.
    #[error(
        "{0:?}: MySQL and MariaDB are not asked; write the table to a text and name it as access:FILE (`sekisho map build` makes FILE.db of it), or use sqlite: or pgsql:"
    )]
    MySql(String),
    /// There is no colon, or nothing behind it.
    #[error("{0:?} names no file: write TYPE:FILE, as in access:/etc/postfix/access")]
    NoFile(String),
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.split_once(':') {
            Some(("mysql", _)) => Err(SpecError::MySql(text.to_owned())),
            Some((kind, path)) if !path.is_empty() => Ok(Self { kind: kind.parse()?, path: path.to_owned() }),
            _ => Err(SpecError::NoFile(text.to_owned())),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.path)
    }
}

/// The Berkeley DB file that a name means, as Postfix and sendmail take it: `FILE.db` of `FILE`, and `FILE.db` itself.
pub fn database_of(name: &Path) -> PathBuf {
    if name.extension().is_some_and(|it| it == "db") { name.to_owned() } else { name.with_added_extension("db") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_database() {
        for (name, file) in [
            ("/x/relay", "/x/relay.db"),
            ("/x/relay.db", "/x/relay.db"),
            ("/x/a.b", "/x/a.b.db"),
            ("/x.db/a", "/x.db/a.db"),
        ] {
            assert_eq!(database_of(Path::new(name)), Path::new(file));
        }
    }

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        assert_eq!(Kind::all().count(), 18);
        for kind in Kind::all() {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!(Kind::Mailertable.as_str(), "mailertable");
    }

    #[test]
    fn a_spec_has_a_type_and_a_file() {
        let spec: Spec = "cidr:/etc/postfix/a:b".parse().unwrap();
        assert_eq!((spec.kind, spec.path.as_str()), (Kind::Cidr, "/etc/postfix/a:b"));
        assert_eq!(spec.to_string(), "cidr:/etc/postfix/a:b");
        for bad in ["", "cidr", "cidr:", "CIDR:/x", "dbm:/x", "mysql:/x"] {
            assert!(bad.parse::<Spec>().is_err(), "{bad}");
        }
    }
}
