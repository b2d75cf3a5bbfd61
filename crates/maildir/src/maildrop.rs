//! A mailbox as a POP3 maildrop: locked, listed, read, its deletions done at the end (RFC 1939 §3).

use crate::dotlock::Dotlock;
use crate::line_ends::CrlfCount;
use crate::name::{self, MessageName};
use crate::uidlist::{Record, UIDLIST_OCTETS_MAX, Uidlist};
use crate::{durable, quota};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The lock that a session holds. It is never deleted: deleting would let two sessions lock two files of one name.
const SESSION_LOCK: &str = "sekisho-pop3.lock";
/// How long to wait for whoever is writing the uidlist.
const UIDLIST_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of files that are gone, beyond those of files that are there, before the uidlist is written anew.
const GONE_LINES_MAX: usize = 64;

/// Why a maildrop cannot be had, or a message of it.
#[derive(Debug, thiserror::Error)]
pub enum MaildropError {
    /// Another session has it (`[IN-USE]`, RFC 2449 §8.1.2), or its uidlist is locked for too long.
    #[error("{maildir}: in use")]
    InUse {
        /// The mailbox.
        maildir: PathBuf,
    },
    /// There is no such Maildir.
    #[error("{maildir}: no such Maildir")]
    Missing {
        /// The mailbox.
        maildir: PathBuf,
    },
    /// Somebody else deleted the message since the list was made.
    #[error("{maildir}: message {uid} is gone")]
    Gone {
        /// The mailbox.
        maildir: PathBuf,
        /// Its UID.
        uid: u32,
    },
    /// Anything else that the disk refused.
    #[error("{path}: {op} failed")]
    Io {
        /// What was being worked on.
        path: PathBuf,
        /// What was tried.
        op: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// One message of a maildrop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Octets with CRLF line ends: what LIST and STAT tell.
    pub octets: u64,
    /// Its UID, ascending.
    pub uid: u32,
    /// A unique-id brought along from another server (the uidlist's `P` field); it wins over the UID.
    pub foreign_unique_id: Option<Box<str>>,
    file_name: String,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    New,
    Cur,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
        }
    }
}

/// A maildrop that this session alone may use; dropped without [`Self::commit`] nothing is deleted.
#[derive(Debug)]
pub struct Maildrop {
    maildir: PathBuf,
    validity: u32,
    entries: Vec<Entry>,
    _lock: File,
}

impl Maildrop {
    /// Locks the maildrop and lists it, in the order of UIDs. Messages that have no UID yet get one, durably, since
    /// a client will know them by it.
    pub fn open(maildir: &Path) -> Result<Self, MaildropError> {
        let lock = lock(maildir)?;
        let (validity, entries) = list(maildir)?;
        Ok(Self { maildir: maildir.to_path_buf(), validity, entries, _lock: lock })
    }

    /// All messages; message number `n` of POP3 is at `n - 1`.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// UID validity of the mailbox.
    pub fn validity(&self) -> u32 {
        self.validity
    }

    /// The unique-id of an entry, as Dovecot tells it with its default `pop3_uidl_format = %08Xu%08Xv`.
    pub fn unique_id(&self, entry: &Entry) -> String {
        match &entry.foreign_unique_id {
            Some(unique_id) => unique_id.to_string(),
            None => format!("{:08x}{:08x}", entry.uid, self.validity),
        }
    }

    /// Opens the message at `index` as it is stored: with LF or CRLF line ends. Another client of the mailbox may have
    /// changed its flags and so its name: then it is looked for.
    pub fn message(&self, index: usize) -> Result<File, MaildropError> {
        let entry = self.entries.get(index).ok_or_else(|| self.gone(0))?;
        let path = self.path(entry);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map_err(|error| io_error("opening", &path, error)),
        }
        let path = self.find(entry)?;
        File::open(&path).map_err(|error| io_error("opening", &path, error))
    }

    /// Deletes the messages at these indices and lets the maildrop go. What another client deleted already is fine.
    /// All are tried; the first failure is told.
    pub fn commit(self, deleted: &[usize]) -> Result<(), MaildropError> {
        let mut first_error = None;
        let (mut octets, mut messages) = (0i64, 0i64);
        for entry in deleted.iter().filter_map(|&index| self.entries.get(index)) {
            match self.delete(entry) {
                Ok(stored) => {
                    octets = octets.saturating_sub_unsigned(stored);
                    messages -= 1;
                }
                Err(MaildropError::Gone { .. }) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        if messages != 0
            && let Err(error) = quota::add(&self.maildir, octets, messages)
        {
            tracing::warn!(maildir = %self.maildir.display(), %error, note = "it is recounted in time", "maildirsize outdated");
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Deletes one file; returns its octets as stored.
    fn delete(&self, entry: &Entry) -> Result<u64, MaildropError> {
        let mut path = self.path(entry);
        let mut result = fs::remove_file(&path);
        if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            path = self.find(entry)?;
            result = fs::remove_file(&path);
        }
        result.map_err(|error| io_error("deleting", &path, error))?;
        let stored = MessageName::parse(&entry.file_name).and_then(|name| name.stored_octets);
        Ok(stored.unwrap_or(entry.octets))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.maildir.join(entry.part.name()).join(&entry.file_name)
    }

    fn find(&self, entry: &Entry) -> Result<PathBuf, MaildropError> {
        let base = name::base(&entry.file_name);
        let found = scan(&self.maildir)?.into_iter().rfind(|found| name::base(&found.file_name) == base);
        let found = found.ok_or_else(|| self.gone(entry.uid))?;
        Ok(self.maildir.join(found.part.name()).join(found.file_name))
    }

    fn gone(&self, uid: u32) -> MaildropError {
        MaildropError::Gone { maildir: self.maildir.clone(), uid }
    }
}

/// A lock of the open file, so that it also holds between two sessions of one process, and ends with the process.
fn lock(maildir: &Path) -> Result<File, MaildropError> {
    let path = maildir.join(SESSION_LOCK);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => MaildropError::Missing { maildir: maildir.to_path_buf() },
        _ => io_error("opening", &path, error),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MaildropError::InUse { maildir: maildir.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(io_error("locking", &path, error)),
    }
}

/// A file of `new` or `cur`.
struct Found {
    file_name: String,
    part: Part,
}

/// All messages on disk. `new` first: what moves to `cur` meanwhile is seen twice rather than never.
fn scan(maildir: &Path) -> Result<Vec<Found>, MaildropError> {
    let mut found = Vec::new();
    for part in [Part::New, Part::Cur] {
        let dir = maildir.join(part.name());
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => MaildropError::Missing { maildir: maildir.to_path_buf() },
            _ => io_error("listing", &dir, error),
        };
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let Ok(file_name) = entry.map_err(failed)?.file_name().into_string() else { continue };
            // A name that the uidlist cannot hold cannot be told apart by it.
            if MessageName::parse(&file_name).is_some() && !file_name.contains('\n') {
                found.push(Found { file_name, part });
            }
        }
    }
    Ok(found)
}

/// Files and uidlist put together.
struct Joined<'a> {
    known: Vec<(Record<'a>, Found)>,
    /// Files that have no UID yet.
    fresh: Vec<Found>,
    /// Lines whose file was not seen.
    gone_lines: usize,
}

fn join<'a>(list: Option<&Uidlist<'a>>, found: Vec<Found>) -> Joined<'a> {
    let mut files: Vec<Option<Found>> = found.into_iter().map(Some).collect();
    let matches = match_records(list, &files);
    let mut known = Vec::with_capacity(matches.known.len());
    for (record, index) in matches.known {
        known.extend(files[index].take().map(|file| (record, file)));
    }
    let fresh = matches.fresh.into_iter().filter_map(|index| files[index].take()).collect();
    Joined { known, fresh, gone_lines: matches.gone_lines }
}

/// As [`Joined`], by index into the files.
struct Matches<'a> {
    known: Vec<(Record<'a>, usize)>,
    fresh: Vec<usize>,
    gone_lines: usize,
}

fn match_records<'a>(list: Option<&Uidlist<'a>>, files: &[Option<Found>]) -> Matches<'a> {
    let mut by_base: HashMap<&str, usize> = HashMap::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        by_base.extend(file.as_ref().map(|file| (name::base(&file.file_name), index)));
    }
    let records = list.map_or(&[][..], |list| &list.records);
    let mut known = Vec::with_capacity(by_base.len());
    for record in records {
        known.extend(by_base.remove(name::base(record.file_name)).map(|index| (*record, index)));
    }
    let gone_lines = records.len() - known.len();
    Matches { known, fresh: by_base.into_values().collect(), gone_lines }
}

impl Joined<'_> {
    /// Whether the uidlist says all that is needed, so that nobody has to be locked out.
    fn is_complete(&self) -> bool {
        self.fresh.is_empty() && self.is_known_well()
    }

    /// Whether the lines that are there may stay as they are.
    fn is_known_well(&self) -> bool {
        self.gone_lines <= self.known.len() + GONE_LINES_MAX
            && self.known.iter().all(|(record, file)| told_octets(record, file).is_some())
    }
}

/// The size with CRLF line ends, as the file's name or the uidlist tell it.
fn told_octets(record: &Record<'_>, file: &Found) -> Option<u64> {
    let named = MessageName::parse(&file.file_name).and_then(|name| name.crlf_octets);
    named.or_else(|| record.crlf_octets())
}

fn list(maildir: &Path) -> Result<(u32, Vec<Entry>), MaildropError> {
    let path = maildir.join("dovecot-uidlist");
    let text = read_uidlist(&path)?;
    let list = parse_uidlist(&path, &text);
    let joined = join(list.as_ref(), scan(maildir)?);
    match list {
        Some(list) if joined.is_complete() => {
            let entries = joined.known.into_iter().filter_map(|(record, file)| {
                let octets = told_octets(&record, &file)?;
                Some(entry(record.uid, record.fields, octets, file))
            });
            Ok((list.validity, entries.collect()))
        }
        None if joined.fresh.is_empty() => Ok((unix_secs(), Vec::new())),
        _ => list_locked(maildir, &path),
    }
}

/// Gives UIDs to what has none, with the uidlist locked as Dovecot locks it.
fn list_locked(maildir: &Path, path: &Path) -> Result<(u32, Vec<Entry>), MaildropError> {
    let _lock = Dotlock::take(path, UIDLIST_PATIENCE).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => MaildropError::InUse { maildir: maildir.to_path_buf() },
        _ => io_error("locking", path, error),
    })?;
    let text = read_uidlist(path)?;
    let mut list = parse_uidlist(path, &text).unwrap_or_else(|| Uidlist::new(unix_secs()));
    // Twice: a directory that changes while it is read may hide a file, and a line dropped for that is a unique-id lost.
    let mut found = scan(maildir)?;
    found.extend(scan(maildir)?);
    let mut joined = join(Some(&list), found);
    let must_rewrite = !list.appendable || !joined.is_known_well();
    joined.fresh.sort_by(|a, b| arrival(&a.file_name).cmp(&arrival(&b.file_name)));
    let mut rows = Vec::with_capacity(joined.known.len() + joined.fresh.len());
    for (record, file) in joined.known {
        rows.push(Row::new(maildir, record, file)?);
    }
    let known = rows.len();
    for file in joined.fresh {
        rows.push(Row::new(maildir, Record { uid: list.next_uid, fields: "", file_name: "" }, file)?);
        list.next_uid = list.next_uid.checked_add(1).ok_or_else(|| exhausted(path))?;
    }
    if must_rewrite {
        rewrite(path, &list, &rows)?;
    } else {
        append(path, &rows[known..])?;
    }
    Ok((list.validity, rows.into_iter().filter_map(Row::into_entry).collect()))
}

/// A line of the uidlist to be, with its file.
struct Row {
    uid: u32,
    fields: String,
    file: Found,
    /// `None` when the file vanished before it was counted: it keeps its UID and is not listed.
    octets: Option<u64>,
}

impl Row {
    fn new(maildir: &Path, record: Record<'_>, file: Found) -> Result<Self, MaildropError> {
        if let Some(octets) = told_octets(&record, &file) {
            return Ok(Self { uid: record.uid, fields: record.fields.to_owned(), file, octets: Some(octets) });
        }
        let octets = count_octets(&maildir.join(file.part.name()).join(&file.file_name))?;
        let mut fields: Vec<String> =
            record.fields.split(' ').filter(|f| !f.is_empty() && !f.starts_with('W')).map(str::to_owned).collect();
        fields.extend(octets.map(|octets| format!("W{octets}")));
        Ok(Self { uid: record.uid, fields: fields.join(" "), file, octets })
    }

    fn write(&self, out: &mut String) {
        Record { uid: self.uid, fields: &self.fields, file_name: &self.file.file_name }.write(out);
    }

    fn into_entry(self) -> Option<Entry> {
        Some(entry(self.uid, &self.fields, self.octets?, self.file))
    }
}

fn entry(uid: u32, fields: &str, octets: u64, file: Found) -> Entry {
    let foreign = Record { uid, fields, file_name: "" }.field('P').filter(|id| is_unique_id(id)).map(Into::into);
    Entry { octets, uid, foreign_unique_id: foreign, file_name: file.file_name, part: file.part }
}

/// RFC 1939 §7: one to 70 characters from 0x21 to 0x7E.
fn is_unique_id(text: &str) -> bool {
    (1..=70).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Octets with CRLF line ends, read from the message itself.
fn count_octets(path: &Path) -> Result<Option<u64>, MaildropError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("opening", path, error)),
    };
    let (mut count, mut piece) = (CrlfCount::default(), vec![0; 32 * 1024]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Some(count.octets())),
            Ok(octets) => count.push(&piece[..octets]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("reading", path, error)),
        }
    }
}

/// What new messages are ordered by: seconds, microseconds, name. Dovecot does the same.
fn arrival(file_name: &str) -> (u64, u64, &str) {
    let (secs, rest) = file_name.split_once('.').unwrap_or((file_name, ""));
    let micros = rest.strip_prefix('M').map_or("", |m| &m[..m.bytes().take_while(u8::is_ascii_digit).count()]);
    (secs.parse().unwrap_or(0), micros.parse().unwrap_or(0), file_name)
}

fn read_uidlist(path: &Path) -> Result<String, MaildropError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(io_error("opening", path, error)),
    };
    let mut octets = Vec::new();
    file.take(UIDLIST_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(|error| io_error("reading", path, error))?;
    if octets.len() as u64 > UIDLIST_OCTETS_MAX {
        return Err(io_error("reading", path, io::ErrorKind::FileTooLarge.into()));
    }
    // A file name that is no UTF-8 matches no message; its line is as good as one of a file that is gone.
    Ok(String::from_utf8(octets).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A broken list gives `None`: all messages get new UIDs under a new validity, so that no client mistakes one for another.
fn parse_uidlist<'a>(path: &Path, text: &'a str) -> Option<Uidlist<'a>> {
    if text.is_empty() {
        return None;
    }
    Uidlist::parse(text)
        .inspect_err(
            |error| tracing::warn!(path = %path.display(), %error, note = "clients will fetch all again", "uidlist recreated"),
        )
        .ok()
}

fn append(path: &Path, rows: &[Row]) -> Result<(), MaildropError> {
    let mut text = String::new();
    for row in rows {
        row.write(&mut text);
    }
    let mut file = OpenOptions::new().append(true).open(path).map_err(|error| io_error("opening", path, error))?;
    file.write_all(text.as_bytes()).map_err(|error| io_error("writing", path, error))?;
    durable::sync_file(&file).map_err(|error| io_error("syncing", path, error))
}

fn rewrite(path: &Path, list: &Uidlist<'_>, rows: &[Row]) -> Result<(), MaildropError> {
    let mut text = list.header();
    for row in rows {
        row.write(&mut text);
    }
    // Written beside as `dovecot-uidlist.tmp`: the name that Dovecot uses for the same thing under the same lock.
    let list = keep::NewFile { path, octets: text.as_bytes(), mode: 0o600, owner: None };
    list.replace().map_err(|error| io_error(error.op, &error.path, error.source))
}

fn exhausted(path: &Path) -> MaildropError {
    io_error("giving a UID from", path, io::ErrorKind::StorageFull.into())
}

fn io_error(op: &'static str, path: &Path, source: io::Error) -> MaildropError {
    MaildropError::Io { path: path.to_path_buf(), op, source }
}

/// Never 0, as a UID validity must not be.
fn unix_secs() -> u32 {
    let secs = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    u32::try_from(secs).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        crate::create(dir.path()).unwrap();
        dir
    }

    fn put(dir: &tempfile::TempDir, path: &str, text: &str) {
        fs::write(dir.path().join(path), text).unwrap();
    }

    fn uidlist(dir: &tempfile::TempDir) -> String {
        fs::read_to_string(dir.path().join("dovecot-uidlist")).unwrap()
    }

    fn told(drop: &Maildrop) -> Vec<(u32, u64, &str)> {
        drop.entries().iter().map(|entry| (entry.uid, entry.octets, entry.file_name.as_str())).collect()
    }

    #[test]
    fn one_session_at_a_time_even_in_one_process() {
        let dir = maildir();
        let first = Maildrop::open(dir.path()).unwrap();
        assert!(matches!(Maildrop::open(dir.path()), Err(MaildropError::InUse { .. })));
        drop(first);
        Maildrop::open(dir.path()).unwrap();
        assert!(matches!(Maildrop::open(Path::new("/nonexistent")), Err(MaildropError::Missing { .. })));
    }

    #[test]
    fn new_messages_get_uids_in_the_order_of_arrival_and_keep_them() {
        let dir = maildir();
        put(&dir, "new/20.M5.h", "b\n");
        put(&dir, "cur/10.M9.h,S=2,W=3:2,S", "a\n");
        put(&dir, "new/20.M10.h", "c\r\n\n");
        let drop_1 = Maildrop::open(dir.path()).unwrap();
        let expected = vec![(1, 3, "10.M9.h,S=2,W=3:2,S"), (2, 3, "20.M5.h"), (3, 5, "20.M10.h")];
        assert_eq!(told(&drop_1), expected);
        let validity = drop_1.validity();
        assert_eq!(uidlist(&dir), format!("3 V{validity} N4\n1 :10.M9.h,S=2,W=3:2,S\n2 W3 :20.M5.h\n3 W5 :20.M10.h\n"));
        drop(drop_1);
        put(&dir, "new/5.M1.h,W=9", "late\n");
        durable::rename(&dir.path().join("new/20.M5.h"), &dir.path().join("cur/20.M5.h:2,RS")).unwrap();
        let drop_2 = Maildrop::open(dir.path()).unwrap();
        let uids: Vec<u32> = drop_2.entries().iter().map(|entry| entry.uid).collect();
        assert_eq!((uids, drop_2.validity()), (vec![1, 2, 3, 4], validity));
        assert!(uidlist(&dir).ends_with("3 W5 :20.M10.h\n4 :5.M1.h,W=9\n"));
        assert!(!dir.path().join("dovecot-uidlist.lock").exists());
    }

    #[test]
    fn sizes_of_older_messages_are_counted_once_and_other_fields_kept() {
        let dir = maildir();
        put(&dir, "dovecot-uidlist", "3 V7 N30 Gabc\n5 Pold.1 :1.h:2,\n9 :gone\n");
        put(&dir, "cur/1.h:2,S", "a\nb\n");
        let drop = Maildrop::open(dir.path()).unwrap();
        assert_eq!(told(&drop), [(5, 6, "1.h:2,S")]);
        assert_eq!(drop.unique_id(&drop.entries()[0]), "old.1");
        assert_eq!(uidlist(&dir), "3 V7 N30 Gabc\n5 Pold.1 W6 :1.h:2,S\n");
    }

    #[test]
    fn a_uid_is_never_given_twice() {
        let dir = maildir();
        put(&dir, "new/1.h,W=3", "a\n");
        let drop = Maildrop::open(dir.path()).unwrap();
        let first = drop.unique_id(&drop.entries()[0]);
        drop.commit(&[0]).unwrap();
        put(&dir, "new/2.h,W=3", "b\n");
        let drop = Maildrop::open(dir.path()).unwrap();
        assert_eq!(told(&drop), [(2, 3, "2.h,W=3")]);
        assert_ne!(drop.unique_id(&drop.entries()[0]), first);
    }

    #[test]
    fn a_broken_or_torn_uidlist() {
        let dir = maildir();
        put(&dir, "new/1.h,W=3", "a\n");
        put(&dir, "dovecot-uidlist", "3 V7 N5\n4 :1.h,W=3\n6 :2.h,W");
        put(&dir, "new/2.h,W=3", "b\n");
        let drop_1 = Maildrop::open(dir.path()).unwrap();
        assert_eq!(told(&drop_1), [(4, 3, "1.h,W=3"), (5, 3, "2.h,W=3")]);
        assert_eq!(uidlist(&dir), "3 V7 N6\n4 :1.h,W=3\n5 :2.h,W=3\n");
        drop(drop_1);
        put(&dir, "dovecot-uidlist", "3 V7 N5\nnonsense\n");
        let drop_2 = Maildrop::open(dir.path()).unwrap();
        assert!(drop_2.entries().len() == 2 && drop_2.validity() > 7);
    }

    #[test]
    fn read_and_deleted_although_another_client_renamed_it() {
        let dir = maildir();
        put(&dir, "new/1.h,S=2,W=3", "a\n");
        put(&dir, "new/2.h,S=2,W=3", "b\n");
        put(&dir, "maildirsize", "100S\n4 2\n");
        let drop = Maildrop::open(dir.path()).unwrap();
        durable::rename(&dir.path().join("new/1.h,S=2,W=3"), &dir.path().join("cur/1.h,S=2,W=3:2,S")).unwrap();
        let mut text = String::new();
        drop.message(0).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\n");
        fs::remove_file(dir.path().join("new/2.h,S=2,W=3")).unwrap();
        assert!(matches!(drop.message(1), Err(MaildropError::Gone { uid: 2, .. })));
        assert!(matches!(drop.message(7), Err(MaildropError::Gone { .. })));
        drop.commit(&[0, 1]).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("cur")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(dir.path().join("maildirsize")).unwrap(), "100S\n4 2\n-2 -1\n");
    }

    #[test]
    fn what_is_no_message_is_not_listed() {
        let dir = maildir();
        put(&dir, "new/.nfs123", "x");
        put(&dir, "cur/a\nb", "x");
        assert!(Maildrop::open(dir.path()).unwrap().entries().is_empty());
        assert!(!dir.path().join("dovecot-uidlist").exists());
    }
}
