//! A file, read and checked, and how keys are looked up in it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::found::Found;
use crate::kind::Kind;
use crate::mistake::{Mistake, Notes, Warning};
use crate::mmdb::Mmdb;
use crate::pattern::{Dialect, RuleTable};
use crate::postfix::cidr::CidrTable;
use crate::postfix::keys::{self, Indexed};
use crate::relay::RelayEntry;
use crate::sendmail::access::AccessDb;
use crate::sendmail::tag::Tag;
use crate::sql::SqlMap;
use crate::store::Store;
use crate::subject::Subject;
use crate::wrappers::HostsFile;
use crate::{database, postfix, sendmail, source, sql};

/// What a table consists of.
#[derive(Debug)]
enum Form {
    Store(Store),
    Cidr(Box<CidrTable>),
    Rules(RuleTable),
    Hosts(HostsFile),
    Mmdb(Box<Mmdb>),
    /// It is asked elsewhere, and here it has nothing.
    Sql(Arc<SqlMap>),
}

/// A file that was taken.
#[derive(Debug)]
pub struct Table {
    kind: Kind,
    file: Arc<str>,
    form: Form,
    warnings: Vec<Warning>,
    relay: Vec<RelayEntry>,
    detail_delimiter: Option<char>,
}

impl Table {
    /// Reads a file's text. `file_name` is for messages.
    ///
    /// # Errors
    /// All mistakes at once, at most [`TOLD_MAX`](crate::mistake::TOLD_MAX); never an empty list.
    pub fn parse(kind: Kind, file_name: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut notes = Notes::new(file_name);
        let form = match kind {
            Kind::Access | Kind::Hash | Kind::Btree => Form::Store(postfix::source::read(kind, text, &mut notes)),
            Kind::SendmailAccess | Kind::Deny | Kind::Mailertable => {
                Form::Store(sendmail::source::read(kind, text, &mut notes))
            }
            Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::LocalHostNames | Kind::RelayDomains => {
                Form::Store(sendmail::class::read(kind, text, &mut notes))
            }
            Kind::Cidr => Form::Cidr(Box::new(CidrTable::parse(text, &mut notes))),
            Kind::Pcre => Form::Rules(RuleTable::parse(Dialect::Pcre, text, &mut notes)),
            Kind::Regexp => Form::Rules(RuleTable::parse(Dialect::Posix, text, &mut notes)),
            Kind::HostsAllow => Form::Hosts(HostsFile::read(text, &mut notes)),
            Kind::Mmdb => return Self::parse_octets(kind, file_name, text.as_bytes()),
            Kind::Sqlite | Kind::Pgsql => match sql::read(kind, text, &mut notes) {
                Some(map) => Form::Sql(Arc::new(map)),
                None => return Err(notes.end().err().unwrap_or_default()),
            },
        };
        Self::new(kind, form, notes)
    }

    /// The same for a file's octets. What is not UTF-8 may stand in comments only: older files have them in EUC-JP.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_octets(kind: Kind, file_name: &str, octets: &[u8]) -> Result<Self, Vec<Mistake>> {
        let mut notes = Notes::new(file_name);
        if kind == Kind::Mmdb {
            let file = Mmdb::parse(file_name, octets.to_vec()).map_err(|mistake| vec![mistake])?;
            return Self::new(kind, Form::Mmdb(Box::new(file)), notes);
        }
        let text = source::decode(octets, &mut notes);
        notes.end()?;
        Self::parse(kind, file_name, &text)
    }

    /// Takes what was read from a database of [`Kind::Access`], [`Kind::Hash`], [`Kind::Btree`], or one that `makemap`
    /// made: the keys are folded there already, and a zero octet may end keys and values.
    ///
    /// # Errors
    /// The other kinds, and pairs that are not UTF-8.
    pub fn from_pairs<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        kind: Kind,
        file_name: &str,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut notes = Notes::new(file_name);
        let store = database::read(kind, pairs, &mut notes);
        Self::new(kind, Form::Store(store), notes)
    }

    fn new(kind: Kind, form: Form, mut notes: Notes) -> Result<Self, Vec<Mistake>> {
        let relay = relay_entries(kind, &form, &mut notes);
        let file = Arc::clone(&notes.file);
        let warnings = notes.end()?;
        Ok(Self { kind, file, form, warnings, relay, detail_delimiter: Some('+') })
    }

    /// What sets a detail apart from its user, as in `user+detail@example.com`; `None`: nothing does. Default `+`.
    #[must_use]
    pub fn with_detail_delimiter(mut self, delimiter: Option<char>) -> Self {
        self.detail_delimiter = delimiter;
        self
    }

    /// Which database is asked for it, where it is one.
    pub fn sql(&self) -> Option<&Arc<SqlMap>> {
        match &self.form {
            Form::Sql(map) => Some(map),
            _ => None,
        }
    }

    /// The keys that Postfix's smtpd tries in a table of fixed keys, in their order: for who asks a database.
    pub fn keys_of(&self, subject: Subject<'_>) -> Vec<String> {
        keys::of(subject, self.detail_delimiter)
    }

    /// As which kind it was read.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// As the caller named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What its own program would complain about or overlook.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many entries or rules it has.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Store(store) => store.len(),
            Form::Cidr(cidr) => cidr.len(),
            Form::Rules(rules) => rules.len(),
            Form::Hosts(hosts) => hosts.len(),
            Form::Mmdb(file) => file.networks(),
            Form::Sql(_) => 0,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One look-up, without substrings of the key: what `postmap -q KEY TYPE:FILE` prints. With
    /// [`Kind::HostsAllow`] the key is `DAEMON ADDRESS`, as for tcpdmatch; with [`Kind::Mmdb`] an address.
    pub fn get(&self, key: &str) -> Option<Found<'_>> {
        match &self.form {
            Form::Store(store) => store.look_up(key),
            Form::Cidr(cidr) => cidr.get(key),
            Form::Rules(rules) => rules.get(key),
            Form::Hosts(hosts) => hosts.query(key),
            Form::Mmdb(file) => {
                let origin = file.origin(key.parse::<IpAddr>().ok()?);
                (!origin.is_unknown()).then(|| Found { value: Cow::Owned(origin.to_string()), line: 0 })
            }
            Form::Sql(_) => None,
        }
    }

    /// The look-ups that a server makes for a client, a name, a sender, a recipient, and what the first successful one
    /// says. `None` also where the file is not about such a subject.
    pub fn smtpd(&self, subject: Subject<'_>) -> Option<Found<'_>> {
        match &self.form {
            Form::Store(store) => self.indexed(store, subject),
            Form::Cidr(cidr) => keys::whole(|key| cidr.get(key), subject),
            Form::Rules(rules) => keys::whole(|key| rules.get(key), subject),
            // It says who may relay, and that goes through the relay policy only.
            // The others say what is to be done with nobody, or are asked elsewhere.
            Form::Hosts(_) | Form::Mmdb(_) | Form::Sql(_) => None,
        }
    }

    fn indexed<'a>(&self, store: &'a Store, subject: Subject<'_>) -> Option<Found<'a>> {
        let detail_delimiter = self.detail_delimiter;
        match self.kind {
            Kind::SendmailAccess => AccessDb { store, detail_delimiter }.check(subject),
            Kind::Deny => sendmail::deny::look_up(store, subject),
            Kind::Mailertable => sendmail::domains::mailertable(store, subject),
            Kind::RelayDomains => sendmail::domains::relay_domains(store, subject),
            Kind::LocalHostNames => sendmail::domains::local_host_names(store, subject),
            Kind::Access | Kind::Hash | Kind::Btree => {
                Indexed { look_up: |key: &str| store.look_up(key), detail_delimiter }.check(subject)
            }
            // The lists say who may relay, too; the others are no tables of fixed keys.
            Kind::IpAllow
            | Kind::NameAllow
            | Kind::RelayAllow
            | Kind::HostsAllow
            | Kind::Cidr
            | Kind::Pcre
            | Kind::Regexp
            | Kind::Mmdb
            | Kind::Sqlite
            | Kind::Pgsql => None,
        }
    }

    /// The look-ups with one tag of [`Kind::SendmailAccess`]; `None` for the other kinds.
    pub fn tagged(&self, tag: Tag, subject: Subject<'_>) -> Option<Found<'_>> {
        match (self.kind, &self.form) {
            (Kind::SendmailAccess, Form::Store(store)) => {
                AccessDb { store, detail_delimiter: self.detail_delimiter }.tagged(tag, subject)
            }
            _ => None,
        }
    }

    /// What its entries say, each with its line, for a check of all of them. In pattern tables an `x` stands for each part
    /// of the key, and a rule whose result begins with one is left out: what it says is only known once a key has matched.
    pub fn values(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, u32)> + '_> {
        match &self.form {
            Form::Store(store) => Box::new(store.iter().map(|entry| (Cow::Borrowed(entry.value), entry.line))),
            Form::Cidr(cidr) => Box::new(cidr.values().map(|(value, line)| (Cow::Borrowed(value), line))),
            Form::Rules(rules) => Box::new(rules.values()),
            Form::Hosts(_) | Form::Mmdb(_) | Form::Sql(_) => Box::new(std::iter::empty()),
        }
    }

    /// Its entries in the order of the file, keys folded: what belongs in its database. Of several with one key only the
    /// first, which is the one that counts. Of tables without keys nothing.
    pub fn pairs(&self) -> Box<dyn Iterator<Item = (&str, &str)> + '_> {
        match &self.form {
            Form::Store(store) => Box::new(store.pairs()),
            Form::Cidr(_) | Form::Rules(_) | Form::Hosts(_) | Form::Mmdb(_) | Form::Sql(_) => {
                Box::new(std::iter::empty())
            }
        }
    }

    /// Its keys with their lines: of a list of domains, the domains. Of tables without keys nothing.
    pub fn keys(&self) -> Box<dyn Iterator<Item = (&str, u32)> + '_> {
        match &self.form {
            Form::Store(store) => Box::new(store.iter().map(|entry| (entry.key, entry.line))),
            Form::Cidr(_) | Form::Rules(_) | Form::Hosts(_) | Form::Mmdb(_) | Form::Sql(_) => {
                Box::new(std::iter::empty())
            }
        }
    }

    /// The entries that let somebody relay. They are for the relay policy to check: one that would let the world relay is
    /// among them as it stands.
    pub fn relay_entries(&self) -> impl Iterator<Item = &RelayEntry> {
        self.relay.iter()
    }
}

/// The entries of a file that let somebody relay.
fn relay_entries(kind: Kind, form: &Form, notes: &mut Notes) -> Vec<RelayEntry> {
    match (kind, form) {
        (Kind::SendmailAccess, Form::Store(store)) => sendmail::relay::entries(store, notes),
        (Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::RelayDomains, Form::Store(store)) => {
            sendmail::class::relay_entries(kind, store, notes)
        }
        (Kind::HostsAllow, Form::Hosts(hosts)) => hosts.relay_entries(notes),
        _ => Vec::new(),
    }
}
