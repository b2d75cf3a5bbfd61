//! A file, read and checked, and how keys are looked up in it.

use std::borrow::Cow;
use std::sync::Arc;

use super::fold::fold;
use super::kind::Kind;
use super::mistake::{Mistake, Notes, Warning};
use super::pattern::{Dialect, RuleTable};
use super::postfix::cidr::CidrTable;
use super::postfix::keys as smtpd;
use super::relay::RelayEntry;
use super::sendmail::keys as sendmail;
use super::store::Store;
use super::subject::{Subject, Tag};
use super::wrappers::HostsFile;
use super::{read, relay};

/// What a table says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// The value as it stands, with `$1` and the like replaced.
    pub value: Cow<'a, str>,
    /// From which line it is; 0 if the table was no file of lines.
    pub line: u32,
}

impl<'a> Found<'a> {
    pub(super) fn borrowed((value, line): (&'a str, u32)) -> Self {
        Self { value: Cow::Borrowed(value), line }
    }
}

/// What a table consists of.
#[derive(Debug)]
pub(super) enum Form {
    Store(Store),
    Cidr(Box<CidrTable>),
    Rules(RuleTable),
    Hosts(HostsFile),
}

/// A file that was taken.
#[derive(Debug)]
pub struct Table {
    kind: Kind,
    file: Arc<str>,
    form: Form,
    warnings: Vec<Warning>,
    relay: Vec<RelayEntry>,
    pub(super) delimiters: Cow<'static, str>,
}

impl Table {
    /// Reads a file's text. `file_name` is for messages.
    ///
    /// # Errors
    /// All mistakes at once, at most [`TOLD_MAX`](super::mistake::TOLD_MAX); never an empty list.
    pub fn parse(kind: Kind, file_name: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut notes = Notes::new(file_name);
        let form = match kind {
            Kind::Access | Kind::Hash | Kind::Btree => Form::Store(read::postmap(kind, text, &mut notes)),
            Kind::SendmailAccess | Kind::Deny | Kind::Mailertable => Form::Store(read::makemap(kind, text, &mut notes)),
            Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::LocalHostNames | Kind::RelayDomains => {
                Form::Store(read::words(kind, text, &mut notes))
            }
            Kind::Cidr => Form::Cidr(Box::new(CidrTable::parse(text, &mut notes))),
            Kind::Pcre => Form::Rules(RuleTable::parse(Dialect::Pcre, text, &mut notes)),
            Kind::Regexp => Form::Rules(RuleTable::parse(Dialect::Posix, text, &mut notes)),
            Kind::HostsAllow => Form::Hosts(HostsFile::read(text, &mut notes)),
        };
        Self::new(kind, form, notes)
    }

    /// The same for a file's octets. What is not UTF-8 may stand in comments only: older files have them in EUC-JP.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_octets(kind: Kind, file_name: &str, octets: &[u8]) -> Result<Self, Vec<Mistake>> {
        let mut notes = Notes::new(file_name);
        let text = read::decode(octets, &mut notes);
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
        let store = read::pairs(kind, pairs, &mut notes);
        Self::new(kind, Form::Store(store), notes)
    }

    fn new(kind: Kind, form: Form, mut notes: Notes) -> Result<Self, Vec<Mistake>> {
        let relay = relay::entries(kind, &form, &mut notes);
        let file = Arc::clone(&notes.file);
        let warnings = notes.end()?;
        let delimiters = Cow::Borrowed("+");
        Ok(Self { kind, file, form, warnings, relay, delimiters })
    }

    /// Postfix's `recipient_delimiter`: characters that set an extension apart from its user. Default `+`; empty: none.
    #[must_use]
    pub fn with_recipient_delimiter(mut self, delimiters: impl Into<Cow<'static, str>>) -> Self {
        self.delimiters = delimiters.into();
        self
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
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One look-up, without substrings of the key: what `postmap -q KEY TYPE:FILE` prints. With
    /// [`Kind::HostsAllow`] the key is `DAEMON ADDRESS`, as for tcpdmatch.
    pub fn get(&self, key: &str) -> Option<Found<'_>> {
        match &self.form {
            // A database has no empty key.
            Form::Store(_) if key.is_empty() => None,
            Form::Store(store) => store.get(&fold(key)).map(Found::borrowed),
            Form::Cidr(cidr) => cidr.get(key).map(Found::borrowed),
            Form::Rules(rules) => rules.get(key),
            Form::Hosts(hosts) => hosts.query(key).map(Found::borrowed),
        }
    }

    /// [`get`](Self::get) for a key that is folded already.
    pub(super) fn get_folded(&self, key: &str) -> Option<Found<'_>> {
        match &self.form {
            Form::Store(store) => store.get(key).map(Found::borrowed),
            _ => self.get(key),
        }
    }

    /// The look-ups that a server makes for a client, a name, a sender, a recipient, and what the first successful one
    /// says. `None` also where the file is not about such a subject.
    pub fn smtpd(&self, subject: Subject<'_>) -> Option<Found<'_>> {
        match self.kind {
            Kind::SendmailAccess => sendmail::access(self, subject),
            Kind::Deny => sendmail::deny(self, subject),
            Kind::Mailertable | Kind::RelayDomains | Kind::LocalHostNames => sendmail::domains(self, subject),
            // They say who may relay, and that goes through the relay policy only.
            Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::HostsAllow => None,
            Kind::Access | Kind::Hash | Kind::Btree => smtpd::indexed(self, subject),
            Kind::Cidr | Kind::Pcre | Kind::Regexp => smtpd::whole(self, subject),
        }
    }

    /// The look-ups with one tag of [`Kind::SendmailAccess`]; `None` for the other kinds.
    pub fn tagged(&self, tag: Tag, subject: Subject<'_>) -> Option<Found<'_>> {
        (self.kind == Kind::SendmailAccess).then(|| sendmail::tagged(self, tag, subject))?
    }

    /// What its entries say, each with its line, for a check of all of them. In pattern tables an `x` stands for each part
    /// of the key, and a rule whose result begins with one is left out: what it says is only known once a key has matched.
    pub fn values(&self) -> Box<dyn Iterator<Item = (Cow<'_, str>, u32)> + '_> {
        match &self.form {
            Form::Store(store) => Box::new(store.iter().map(|(_, value, line)| (Cow::Borrowed(value), line))),
            Form::Cidr(cidr) => Box::new(cidr.values().map(|(value, line)| (Cow::Borrowed(value), line))),
            Form::Rules(rules) => Box::new(rules.values()),
            Form::Hosts(_) => Box::new(std::iter::empty()),
        }
    }

    /// Its entries in the order of the file, keys folded: what belongs in its database. Of several with one key only the
    /// first, which is the one that counts. Of tables without keys nothing.
    pub fn pairs(&self) -> Box<dyn Iterator<Item = (&str, &str)> + '_> {
        match &self.form {
            Form::Store(store) => Box::new(store.pairs()),
            Form::Cidr(_) | Form::Rules(_) | Form::Hosts(_) => Box::new(std::iter::empty()),
        }
    }

    /// Its keys with their lines: of a list of domains, the domains. Of tables without keys nothing.
    pub fn keys(&self) -> Box<dyn Iterator<Item = (&str, u32)> + '_> {
        match &self.form {
            Form::Store(store) => Box::new(store.iter().map(|(key, _, line)| (key, line))),
            Form::Cidr(_) | Form::Rules(_) | Form::Hosts(_) => Box::new(std::iter::empty()),
        }
    }

    /// The entries that let somebody relay. They are for the relay policy to check: one that would let the world relay is
    /// among them as it stands.
    pub fn relay_entries(&self) -> impl Iterator<Item = &RelayEntry> {
        self.relay.iter()
    }
}
