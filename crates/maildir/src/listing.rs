//! Which messages are in a mailbox, each with its UID: what lies in `new` and `cur`, put together with the uidlist.

use crate::dotlock::Dotlock;
use crate::error::MaildropError;
use crate::name::{self, MessageName};
use crate::twins::{self, Parted, Twin};
use crate::uidlist::{Record, UIDLIST_OCTETS_MAX, Uidlist};
use crate::{durable, plain};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long to wait for whoever is writing the uidlist.
const UIDLIST_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of files that are gone, beyond those of files that are there, before the uidlist is written anew.
const GONE_LINES_MAX: usize = 64;
/// Messages that are looked at in one mailbox; some 200 MB of memory. What is beyond comes when others are gone.
const FILES_MAX: usize = 1_000_000;

/// A file of `new` or `cur`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    file_name: OsString,
    part: Part,
    inode: u64,
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

impl Found {
    /// Its name, flags included.
    pub(crate) fn name(&self) -> &[u8] {
        self.file_name.as_bytes()
    }

    /// Not the same file, seen again where it was or was moved to.
    fn is_another(&self, file: &Self) -> bool {
        self.inode != file.inode && (self.part, &self.file_name) != (file.part, &file.file_name)
    }

    /// Where it lies.
    pub(crate) fn path(&self, maildir: &Path) -> PathBuf {
        maildir.join(self.part.name()).join(&self.file_name)
    }
}

/// All files that may be messages.
pub(crate) struct Scan {
    pub(crate) files: Vec<Found>,
    /// There are more.
    is_cut: bool,
}

/// A message and what it is known by.
pub(crate) struct Row {
    pub(crate) uid: u32,
    pub(crate) foreign_unique_id: Option<Box<str>>,
    pub(crate) file: Found,
}

/// All messages, in the order of UIDs.
pub(crate) struct Listed {
    /// UID validity.
    pub(crate) validity: u32,
    pub(crate) rows: Vec<Row>,
}

/// All messages on disk. `new` first: what moves to `cur` meanwhile is seen twice rather than never. What is no regular file is no
/// message; a link may lead to what is not its owner's to read.
pub(crate) fn scan(maildir: &Path) -> Result<Scan, MaildropError> {
    let mut scan = Scan { files: Vec::new(), is_cut: false };
    for part in [Part::New, Part::Cur] {
        let dir = maildir.join(part.name());
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => MaildropError::Missing { maildir: maildir.to_path_buf() },
            _ => MaildropError::io("listing", &dir, error),
        };
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file_name = entry.file_name();
            // A name that the uidlist cannot hold cannot be told apart by it.
            let has_name = MessageName::parse(file_name.as_bytes()).is_some() && !file_name.as_bytes().contains(&b'\n');
            if !has_name || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            if scan.files.len() >= FILES_MAX {
                scan.is_cut = true;
                return Ok(scan);
            }
            scan.files.push(Found { file_name, part, inode: entry.ino() });
        }
    }
    Ok(scan)
}

/// Files and uidlist put together.
struct Joined<'a> {
    known: Vec<(Record<'a>, Found)>,
    /// Files that have no UID yet.
    fresh: Vec<Found>,
    /// Lines whose file was not seen.
    gone_lines: usize,
    /// Different files have one name; all but one of them are in neither list.
    has_twins: bool,
}

fn join<'a>(list: Option<&Uidlist<'a>>, found: Vec<Found>) -> Joined<'a> {
    let mut files: Vec<Option<Found>> = found.into_iter().map(Some).collect();
    let matches = match_records(list, &files);
    let mut known = Vec::with_capacity(matches.known.len());
    for (record, index) in matches.known {
        known.extend(files[index].take().map(|file| (record, file)));
    }
    let fresh = matches.fresh.into_iter().filter_map(|index| files[index].take()).collect();
    Joined { known, fresh, gone_lines: matches.gone_lines, has_twins: matches.has_twins }
}

/// As [`Joined`], by index into the files.
struct Matches<'a> {
    known: Vec<(Record<'a>, usize)>,
    fresh: Vec<usize>,
    gone_lines: usize,
    has_twins: bool,
}

fn match_records<'a>(list: Option<&Uidlist<'a>>, files: &[Option<Found>]) -> Matches<'a> {
    let mut by_base: HashMap<&[u8], usize> = HashMap::with_capacity(files.len());
    let mut has_twins = false;
    for (index, file) in files.iter().enumerate() {
        let Some(file) = file else { continue };
        let before = by_base.insert(name::base(file.name()), index);
        has_twins |= before.and_then(|index| files[index].as_ref()).is_some_and(|other| other.is_another(file));
    }
    let records = list.map_or(&[][..], |list| &list.records);
    let mut known = Vec::with_capacity(by_base.len());
    for record in records {
        known.extend(by_base.remove(name::base(record.file_name)).map(|index| (*record, index)));
    }
    let gone_lines = records.len() - known.len();
    Matches { known, fresh: by_base.into_values().collect(), gone_lines, has_twins }
}

/// Gives each file a name of its own; looks at them all anew.
fn part_twins(maildir: &Path) -> Result<Vec<Found>, MaildropError> {
    let mut by_base: HashMap<Vec<u8>, Vec<Twin>> = HashMap::new();
    for file in scan(maildir)?.files {
        let twin = Twin { path: file.path(maildir), inode: file.inode };
        by_base.entry(name::base(file.name()).to_vec()).or_default().push(twin);
    }
    let mut parted = Parted::default();
    by_base.into_values().filter(|twins| twins.len() > 1).for_each(|twins| twins::part(twins, &mut parted));
    let note = "another message has the same file name";
    if parted.renamed > 0 {
        tracing::info!(maildir = %maildir.display(), messages = parted.renamed, note, "messages renamed");
    }
    if let Some((path, error)) = parted.failed {
        tracing::warn!(maildir = %maildir.display(), path = %path.display(), %error, note, "rename failed");
    }
    Ok(scan(maildir)?.files)
}

/// Whether the lines that are there may stay as they are.
fn may_stay(joined: &Joined<'_>) -> bool {
    joined.gone_lines <= joined.known.len() + GONE_LINES_MAX
}

/// Lists a mailbox. Messages that have no UID yet get one, durably.
pub(crate) fn list(maildir: &Path) -> Result<Listed, MaildropError> {
    let path = maildir.join("dovecot-uidlist");
    let text = read_uidlist(&path)?;
    let list = parse_uidlist(&path, &text);
    let scan = scan(maildir)?;
    let is_cut = scan.is_cut;
    let joined = join(list.as_ref(), scan.files);
    let may_stay = joined.fresh.is_empty() && !joined.has_twins && (is_cut || may_stay(&joined));
    let validity = list.as_ref().map(|list| list.validity);
    let rows = joined.known.into_iter().map(|(record, file)| row(record.uid, record.fields, file)).collect();
    match validity {
        // Nobody has to be locked out.
        Some(validity) if may_stay => Ok(Listed { validity, rows }),
        None if joined.fresh.is_empty() => Ok(Listed { validity: unix_secs(), rows }),
        Some(validity) if !rows.is_empty() => list_locked(maildir, &path).or_else(|error| match error {
            // A full disk: whoever deletes what is known makes room for the rest.
            MaildropError::Io { .. } => {
                tracing::warn!(maildir = %maildir.display(), %error, "messages unlisted");
                Ok(Listed { validity, rows })
            }
            other => Err(other),
        }),
        _ => list_locked(maildir, &path),
    }
}

/// Gives UIDs to what has none, with the uidlist locked as Dovecot locks it.
fn list_locked(maildir: &Path, path: &Path) -> Result<Listed, MaildropError> {
    let _lock = Dotlock::take(path, UIDLIST_PATIENCE).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => MaildropError::InUse { maildir: maildir.to_path_buf() },
        _ => MaildropError::io("locking", path, error),
    })?;
    let text = read_uidlist(path)?;
    let mut list = parse_uidlist(path, &text).unwrap_or_else(|| Uidlist::new(unix_secs()));
    // Twice: a directory that changes while it is read may hide a file, and a line dropped for that is a unique-id lost.
    let Scan { mut files, is_cut } = scan(maildir)?;
    if !is_cut {
        files.extend(scan(maildir)?.files);
    }
    let mut joined = join(Some(&list), files);
    if joined.has_twins {
        joined = join(Some(&list), part_twins(maildir)?);
    }
    // Of a mailbox seen in part, the lines of what was not seen stay.
    let must_rewrite = !list.appendable || !(is_cut || may_stay(&joined));
    joined.fresh.sort_by(|a, b| arrival(a.name()).cmp(&arrival(b.name())));
    let mut rows: Vec<_> = joined.known.into_iter().map(|(record, file)| (record.uid, record.fields, file)).collect();
    let known = rows.len();
    for file in joined.fresh {
        rows.push((list.next_uid, "", file));
        list.next_uid = list.next_uid.checked_add(1).ok_or_else(|| exhausted(path))?;
    }
    let mut lines = if must_rewrite { list.header().into_bytes() } else { Vec::new() };
    for (uid, fields, file) in &rows[if must_rewrite { 0 } else { known }..] {
        Record { uid: *uid, fields, file_name: file.name() }.write(&mut lines);
    }
    if must_rewrite {
        rewrite(path, &lines)?;
    } else {
        append(path, &lines)?;
    }
    let rows = rows.into_iter().map(|(uid, fields, file)| row(uid, fields, file)).collect();
    Ok(Listed { validity: list.validity, rows })
}

fn row(uid: u32, fields: &str, file: Found) -> Row {
    let foreign = Record { uid, fields, file_name: b"" }.field('P').filter(|id| is_unique_id(id)).map(Into::into);
    Row { uid, foreign_unique_id: foreign, file }
}

/// RFC 1939 §7: one to 70 characters from 0x21 to 0x7E.
fn is_unique_id(text: &str) -> bool {
    (1..=70).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic())
}

/// What new messages are ordered by: seconds, microseconds, name. Dovecot does the same.
fn arrival(file_name: &[u8]) -> (u64, u64, &[u8]) {
    let mut parts = file_name.splitn(2, |&octet| octet == b'.');
    let (secs, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (leading_number(secs), rest.strip_prefix(b"M").map_or(0, leading_number), file_name)
}

/// 0 for what is none.
fn leading_number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|octet| octet.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// What is no regular file is no uidlist, and makes way for one.
fn read_uidlist(path: &Path) -> Result<Vec<u8>, MaildropError> {
    let file = match plain::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound || plain::is_no_file(&error) => return Ok(Vec::new()),
        Err(error) => return Err(MaildropError::io("opening", path, error)),
    };
    let mut octets = Vec::new();
    file.take(UIDLIST_OCTETS_MAX + 1)
        .read_to_end(&mut octets)
        .map_err(|error| MaildropError::io("reading", path, error))?;
    if octets.len() as u64 > UIDLIST_OCTETS_MAX {
        return Err(MaildropError::io("reading", path, io::ErrorKind::FileTooLarge.into()));
    }
    Ok(octets)
}

/// A broken list gives `None`: all messages get new UIDs under a new validity, so that no client mistakes one for another.
fn parse_uidlist<'a>(path: &Path, text: &'a [u8]) -> Option<Uidlist<'a>> {
    if text.is_empty() {
        return None;
    }
    Uidlist::parse(text)
        .inspect_err(
            |error| tracing::warn!(path = %path.display(), %error, note = "clients will fetch all again", "uidlist recreated"),
        )
        .ok()
}

fn append(path: &Path, lines: &[u8]) -> Result<(), MaildropError> {
    let mut file = plain::append(path).map_err(|error| MaildropError::io("opening", path, error))?;
    file.write_all(lines).map_err(|error| MaildropError::io("writing", path, error))?;
    durable::sync_file(&file).map_err(|error| MaildropError::io("syncing", path, error))
}

fn rewrite(path: &Path, text: &[u8]) -> Result<(), MaildropError> {
    durable::put_aside_other(path).map_err(|error| MaildropError::io("putting aside", path, error))?;
    // Written beside as `dovecot-uidlist.tmp`: the name that Dovecot uses for the same thing under the same lock.
    let list = keep::NewFile { path, octets: text, mode: 0o600, owner: None };
    list.replace().map_err(|error| MaildropError::io(error.op, &error.path, error.source))
}

fn exhausted(path: &Path) -> MaildropError {
    MaildropError::io("giving a UID from", path, io::ErrorKind::StorageFull.into())
}

/// Never 0, as a UID validity must not be.
fn unix_secs() -> u32 {
    let secs = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    u32::try_from(secs).unwrap_or(u32::MAX).max(1)
}
