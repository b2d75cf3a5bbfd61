//! Reads the files: access maps, those that give relaying or name domains, and those that say where clients are.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use guard::ConfigLine;
use guard::policy::Entry;
use guard::rule::{Mode, Part};
use maps::{Kind, Mmdb, RelayWhat, Table, Warning};
use sqlmaps::{SqlError, SqlTable};

use super::{AccessMap, Tables, action};
use config::{self, MapDomain, MapFile, Settings};

/// A map larger than this is some other file.
const FILE_OCTETS_MAX: u64 = 1 << 30;
/// Mistakes that are told at once.
const MISTAKES_MAX: usize = 100;

/// All of them; every mistake is found before it gives up.
pub(super) fn tables(settings: &Settings) -> Result<Tables, Vec<String>> {
    let mut loading = Loading { detail_delimiter: settings.domains.detail_delimiter, ..Loading::default() };
    for access in &settings.access {
        loading.access(access);
    }
    for map in &settings.relay.maps {
        loading.relay(map);
    }
    // Next hops are for domains that the other files name, wherever they stand in the list.
    let (hops, names): (Vec<_>, Vec<_>) = settings.domains.maps.iter().partition(|map| map.kind == Kind::Mailertable);
    for map in names {
        loading.domains(map);
    }
    for map in hops {
        loading.mailertable(map);
    }
    for path in &settings.guard.mmdb {
        loading.mmdb(path);
    }
    if loading.mistakes.is_empty() {
        loading.mistakes = loading.tables.origins.unasked(settings);
    }
    let Tables { entries, routes, .. } = &mut loading.tables;
    routes.mark(entries);
    if loading.mistakes.is_empty() {
        Ok(loading.tables)
    } else {
        loading.mistakes.truncate(MISTAKES_MAX);
        Err(loading.mistakes)
    }
}

/// Why a map is not there.
enum Unread {
    /// Its file cannot be read, for this reason.
    File(PathBuf, io::Error),
    /// What stands in it is wrong.
    Mistakes(Vec<String>),
}

#[derive(Default)]
struct Loading {
    tables: Tables,
    mistakes: Vec<String>,
    /// A file gave nothing in time. The others lie on the same disk, most likely, and would each take as long.
    stalled: bool,
    detail_delimiter: Option<char>,
}

impl Loading {
    fn access(&mut self, access: &config::Access) {
        let Some(table) = self.table(&access.map) else { return };
        self.mistakes.extend(not_here(&table));
        let of = access.at.map(|at| match at {
            config::Stage::Client => Part::Client,
            config::Stage::Helo => Part::Helo,
            config::Stage::Sender => Part::Sender,
            config::Stage::Recipient => Part::Recipient,
        });
        let mode = match access.mode {
            config::section::access::Mode::Enforce => Mode::Enforce,
            config::section::access::Mode::Observe => Mode::Observe,
        };
        let database = self.database(&table);
        self.tables.access.push(AccessMap { table: Arc::new(table), database, of, mode });
    }

    /// The database of a map that is one. What it says is wrong refuses the configuration; that it is away is told, and it is asked
    /// again with each command.
    fn database(&mut self, table: &Table) -> Option<SqlTable> {
        let map = table.sql()?;
        let what = match sqlmaps::check_now(map) {
            Ok(()) => None,
            Err(wrong @ SqlError::Wrong(_)) => {
                self.mistakes.push(format!("{}:{}:1: {wrong}", map.file, map.query.line));
                None
            }
            Err(away @ SqlError::Away(_)) => Some(away.to_string()),
        };
        let warning = what.map(|what| Warning { file: Arc::clone(&map.file), line: map.query.line, what });
        self.tables.warnings.extend(warning);
        Some(SqlTable::new(Arc::clone(map)))
    }

    fn relay(&mut self, map: &MapFile) {
        let Some(table) = self.table(map) else { return };
        let entries = &mut self.tables.entries;
        for entry in table.relay_entries() {
            let line = ConfigLine::new(table.file(), entry.line);
            match &entry.what {
                RelayWhat::Client(client) => entries.clients.push(Entry { text: client.to_string(), line }),
                RelayWhat::Domain(domain) => entries.domains.push(domain_of(domain, line)),
            }
        }
    }

    fn domains(&mut self, map: &MapFile) {
        let Some(table) = self.table(map) else { return };
        let entries = &mut self.tables.entries;
        if map.kind == Kind::LocalHostNames {
            for (domain, line) in table.keys() {
                entries.domains.push(domain_of(domain, ConfigLine::new(table.file(), line)));
            }
            return;
        }
        // In sendmail's class R a domain means those below it, too. Its clients are for `relay.maps`.
        for entry in table.relay_entries() {
            if let RelayWhat::Domain(domain) = &entry.what {
                entries.domains.push(domain_of(domain, ConfigLine::new(table.file(), entry.line)));
            }
        }
    }

    /// Refusing what it says is nowhere is a rule like others.
    fn mailertable(&mut self, map: &MapFile) {
        let Some(table) = self.table(map) else { return };
        let table = Arc::new(table);
        if table.values().any(|(value, _)| action::of(table.kind(), &value).is_some()) {
            let table = Arc::clone(&table);
            self.tables.access.push(AccessMap {
                table,
                database: None,
                of: Some(Part::Recipient),
                mode: Mode::Enforce,
            });
        }
        self.tables.routes.add(table);
    }

    fn mmdb(&mut self, path: &Path) {
        if self.stalled {
            return;
        }
        let name = path.display().to_string();
        let read = read_file(path).map_err(|error| Unread::File(path.to_owned(), error));
        let parsed = |octets| Mmdb::parse(&name, octets).map_err(|mistake| Unread::Mistakes(told(&[mistake])));
        match read.and_then(parsed) {
            Ok(file) => self.tables.origins.add(file),
            Err(unread) => self.unread(unread),
        }
    }

    fn unread(&mut self, unread: Unread) {
        self.stalled = matches!(&unread, Unread::File(_, error) if keep::is_stalled(error));
        self.mistakes.extend(unread.told());
    }

    fn table(&mut self, map: &MapFile) -> Option<Table> {
        if self.stalled {
            return None;
        }
        match read_map(map.kind, &map.path) {
            Ok(table) => {
                self.tables.warnings.extend_from_slice(table.warnings());
                Some(table.with_detail_delimiter(self.detail_delimiter))
            }
            Err(unread) => {
                self.unread(unread);
                None
            }
        }
    }
}

/// A domain of which no file says yet who takes its mail.
fn domain_of(domain: &str, line: ConfigLine) -> MapDomain {
    MapDomain { entry: Entry { text: domain.to_owned(), line }, next_hop: None }
}

/// The database of a source.
pub fn compiled(source: &Path) -> PathBuf {
    maps::database_of(source)
}

/// Reads one file: its source, or, for an indexed table without one, its database.
pub fn read(kind: Kind, path: &Path) -> Result<Table, Vec<String>> {
    read_map(kind, path).map_err(Unread::told)
}

fn read_map(kind: Kind, path: &Path) -> Result<Table, Unread> {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    // The name is the database's own; a text may be called so, too.
    let is_database = has_database(kind) && compiled(path) == path;
    match read_file(path) {
        Ok(octets) if is_database && bdb::Reader::new(&octets).is_ok() => {
            read_database(kind, path, &octets).map_err(Unread::Mistakes)
        }
        Ok(octets) => {
            let parsed = Table::parse_octets(kind, &path.display().to_string(), &octets);
            parsed.map_err(|mistakes| Unread::Mistakes(told(&mistakes)))
        }
        Err(error) if has_database(kind) && is_missing(&error) => {
            let database = compiled(path);
            match read_file(&database) {
                Ok(octets) => read_database(kind, &database, &octets).map_err(Unread::Mistakes),
                Err(other) if is_missing(&other) => Err(Unread::File(path.to_owned(), error)),
                Err(other) => Err(Unread::File(database, other)),
            }
        }
        Err(error) => Err(Unread::File(path.to_owned(), error)),
    }
}

fn has_database(kind: Kind) -> bool {
    matches!(kind, Kind::Access | Kind::Hash | Kind::Btree | Kind::SendmailAccess | Kind::Deny | Kind::Mailertable)
}

/// What stands in a table and cannot be taken as an access rule, each with its place.
pub fn not_here(table: &Table) -> Vec<String> {
    let wrong = |(value, line): (Cow<'_, str>, u32)| {
        action::not_here(table.kind(), &value).map(|what| format!("{}:{line}:1: {what}", table.file()))
    };
    table.values().filter_map(wrong).take(MISTAKES_MAX).collect()
}

fn read_database(kind: Kind, path: &Path, octets: &[u8]) -> Result<Table, Vec<String>> {
    let name = path.display().to_string();
    let broken = |error: bdb::BdbError| vec![format!("{name}: {error}")];
    let reader = bdb::Reader::new(octets).map_err(broken)?;
    let pairs = reader.iter().collect::<Result<Vec<_>, _>>().map_err(broken)?;
    Table::from_pairs(kind, &name, pairs).map_err(|mistakes| told(&mistakes))
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    keep::read(path, FILE_OCTETS_MAX, keep::Accepts::RegularFile)
}

impl Unread {
    fn told(self) -> Vec<String> {
        match self {
            Self::File(path, error) => vec![format!("{}: {error}", path.display())],
            Self::Mistakes(mistakes) => mistakes,
        }
    }
}

fn told(mistakes: &[maps::Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}
