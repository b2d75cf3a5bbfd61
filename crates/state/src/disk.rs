//! The file: one redb table, a record for each account at each address. Nothing here is read while serving.
//!
//! | key | 16 octets address (IPv4 as mapped), then the login |
//! |---|---|
//! | value | version, source, then little-endian: granted, expires, window until (microseconds), messages, recipients |

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use guard::PopSource;
use redb::{
    Builder, CommitError, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
    TableError, TransactionError,
};

use crate::StateError;

const GRANTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("pop-evidence");
const FILE_NAME: &str = "state.redb";
const VERSION: u8 = 1;
const VALUE_OCTETS: usize = 34;
/// Pages kept in memory: the map in memory is what is read, so little is needed.
const CACHE_OCTETS: usize = 16 << 20;

/// One account at one address, as stored. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) addr: IpAddr,
    pub(crate) login: Arc<str>,
    pub(crate) source: PopSource,
    pub(crate) granted: u64,
    pub(crate) expires: u64,
    pub(crate) window_until: u64,
    pub(crate) messages: u32,
    pub(crate) recipients: u32,
}

/// One change of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Put(Record),
    Delete(IpAddr, Arc<str>),
}

/// Opens the file; called again after a failed write, since redb gives up a handle that failed.
pub(crate) type Opener = Box<dyn Fn() -> Result<Database, StateError> + Send>;

/// The file as it is open now.
pub(crate) struct Disk {
    path: PathBuf,
    opener: Opener,
    database: Option<Database>,
}

impl Disk {
    pub(crate) fn open(path: PathBuf, opener: Opener) -> Result<Self, StateError> {
        let database = Some(opener()?);
        Ok(Self { path, opener, database })
    }

    /// All records.
    pub(crate) fn load(&self, mut each: impl FnMut(Record)) -> Result<usize, StateError> {
        let database = self.database.as_ref().ok_or(StateError::WriteFailed)?;
        let transaction = database.begin_read().map_err(|error| self.trouble("read", error.into()))?;
        let table = match transaction.open_table(GRANTS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            Err(error) => return Err(self.trouble("read", error.into())),
        };
        let mut count = 0;
        for entry in table.iter().map_err(|error| self.trouble("read", error.into()))? {
            let (key, value) = entry.map_err(|error| self.trouble("read", error.into()))?;
            let record = decode(key.value(), value.value());
            each(record.ok_or_else(|| self.damaged("a record that this version does not write".to_owned()))?);
            count += 1;
        }
        Ok(count)
    }

    /// All changes or none; durable when it returns. After an error the handle is gone until [`Disk::rewrite`].
    pub(crate) fn write(&mut self, changes: &[Change]) -> Result<(), StateError> {
        let result = self.try_write(changes, false);
        if result.is_err() {
            self.database = None;
        }
        result
    }

    /// Opens the file anew and makes it hold exactly these records.
    pub(crate) fn rewrite(&mut self, all: &[Change]) -> Result<(), StateError> {
        self.database = None;
        self.database = Some((self.opener)()?);
        let result = self.try_write(all, true);
        if result.is_err() {
            self.database = None;
        }
        result
    }

    fn try_write(&self, changes: &[Change], from_nothing: bool) -> Result<(), StateError> {
        let database = self.database.as_ref().ok_or(StateError::WriteFailed)?;
        commit(database, changes, from_nothing).map_err(|error| self.trouble("write", error))
    }

    fn trouble(&self, op: &'static str, error: Trouble) -> StateError {
        trouble(&self.path, op, error)
    }

    fn damaged(&self, detail: String) -> StateError {
        StateError::Damaged { path: self.path.clone(), detail }
    }
}

fn commit(database: &Database, changes: &[Change], from_nothing: bool) -> Result<(), Trouble> {
    let transaction = database.begin_write()?;
    if from_nothing {
        transaction.delete_table(GRANTS)?;
    }
    {
        let mut table = transaction.open_table(GRANTS)?;
        let mut key = Vec::with_capacity(64);
        for change in changes {
            match change {
                Change::Put(record) => {
                    write_key(&mut key, record.addr, &record.login);
                    table.insert(key.as_slice(), encode(record).as_slice())?;
                }
                Change::Delete(addr, login) => {
                    write_key(&mut key, *addr, login);
                    table.remove(key.as_slice())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Everything that redb may say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Open(#[from] DatabaseError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

fn trouble(path: &Path, op: &'static str, error: Trouble) -> StateError {
    let path = path.to_owned();
    match error {
        Trouble::Open(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
            StateError::InUse { path }
        }
        Trouble::Open(DatabaseError::Storage(StorageError::Io(source)))
        | Trouble::Storage(StorageError::Io(source)) => {
            if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) {
                return StateError::Damaged { path, detail: source.to_string() };
            }
            StateError::Io { path, op, source }
        }
        other if op == "write" => StateError::Io { path, op, source: io::Error::other(other) },
        other => StateError::Damaged { path, detail: other.to_string() },
    }
}

/// Makes the directory (mode 0700) if it is not there, and says how to open its file. `true`: there was none.
pub(crate) fn prepare(dir: &Path) -> Result<(PathBuf, bool), StateError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| StateError::Io { path: dir.to_owned(), op: "making the directory", source })?;
    let path = dir.join(FILE_NAME);
    let fresh = path.metadata().map_or(true, |data| data.len() == 0);
    Ok((path, fresh))
}

/// Opens (mode 0600) and verifies every checksum: a damaged record could last longer than was granted.
pub(crate) fn open_file(path: &Path) -> Result<Database, StateError> {
    let file = private_file(path).map_err(|source| StateError::Io { path: path.to_owned(), op: "opening", source })?;
    let backend = redb::backends::FileBackend::new(file).map_err(|error| trouble(path, "opening", error.into()))?;
    open_backend(path, backend)
}

pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

pub(crate) fn open_backend(path: &Path, backend: impl redb::StorageBackend) -> Result<Database, StateError> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_OCTETS).set_check_integrity_on_open(true);
    builder.create_with_backend(backend).map_err(|error| trouble(path, "opening", error.into()))
}

fn write_key(key: &mut Vec<u8>, addr: IpAddr, login: &str) {
    let octets = match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    key.clear();
    key.extend_from_slice(&octets);
    key.extend_from_slice(login.as_bytes());
}

fn encode(record: &Record) -> [u8; VALUE_OCTETS] {
    let mut value = [0; VALUE_OCTETS];
    value[0] = VERSION;
    value[1] = source_number(record.source);
    value[2..10].copy_from_slice(&record.granted.to_le_bytes());
    value[10..18].copy_from_slice(&record.expires.to_le_bytes());
    value[18..26].copy_from_slice(&record.window_until.to_le_bytes());
    value[26..30].copy_from_slice(&record.messages.to_le_bytes());
    value[30..34].copy_from_slice(&record.recipients.to_le_bytes());
    value
}

/// `None` for everything that [`encode`] does not write.
fn decode(key: &[u8], value: &[u8]) -> Option<Record> {
    let (octets, login) = key.split_first_chunk::<16>()?;
    let login = std::str::from_utf8(login).ok().filter(|login| !login.is_empty())?;
    let (&[VERSION, source], rest) = value.split_first_chunk::<2>()? else { return None };
    let (granted, rest) = rest.split_first_chunk::<8>()?;
    let (expires, rest) = rest.split_first_chunk::<8>()?;
    let (window_until, rest) = rest.split_first_chunk::<8>()?;
    let (messages, rest) = rest.split_first_chunk::<4>()?;
    let recipients: &[u8; 4] = rest.try_into().ok()?;
    Some(Record {
        addr: guard::canonical_ip(IpAddr::V6(Ipv6Addr::from(*octets))),
        login: login.into(),
        source: number_source(source)?,
        granted: u64::from_le_bytes(*granted),
        expires: u64::from_le_bytes(*expires),
        window_until: u64::from_le_bytes(*window_until),
        messages: u32::from_le_bytes(*messages),
        recipients: u32::from_le_bytes(*recipients),
    })
}

/// By the numbers that stand on disk.
const SOURCES: [PopSource; 6] = [
    PopSource::Pop3,
    PopSource::Operator,
    PopSource::Drac,
    PopSource::AuthPolicy,
    PopSource::DovecotAuth,
    PopSource::Log,
];

fn source_number(source: PopSource) -> u8 {
    let place = SOURCES.iter().position(|one| *one == source);
    // Every source stands in the list; another number would be read as damage.
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn number_source(number: u8) -> Option<PopSource> {
    SOURCES.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(
            addr: IpAddr, login in "[a-z@.]{1,40}", numbers: (u64, u64, u64, u32, u32), source in 0u8..6
        ) {
            let (granted, expires, window_until, messages, recipients) = numbers;
            let (addr, login) = (guard::canonical_ip(addr), Arc::from(login));
            let source = number_source(source).unwrap();
            let record = Record { addr, login, source, granted, expires, window_until, messages, recipients };
            let mut key = Vec::new();
            write_key(&mut key, record.addr, &record.login);
            prop_assert_eq!(decode(&key, &encode(&record)), Some(record));
        }

        #[test]
        fn other_octets_are_no_record(key: Vec<u8>, value: Vec<u8>) {
            if let Some(record) = decode(&key, &value) {
                prop_assert_eq!(value.len(), VALUE_OCTETS);
                prop_assert!(!record.login.is_empty());
            }
        }
    }
}
