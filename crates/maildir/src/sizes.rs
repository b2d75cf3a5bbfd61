//! How many octets a POP3 server sends of each file, whatever names promise (RFC 1939 §11).
//!
//! A name's `,W=` is believed only where its `,S=` is the file's size. All others are read once, and what came of it is kept in
//! the mailbox, in the file `sekisho-sizes`, by the file's name, size and time of change. It is a cache: what is damaged or gone is counted
//! again.

use crate::line_ends::CrlfCount;
use crate::name::MessageName;
use crate::plain;
use nix::unistd::{AccessFlags, Uid, eaccess};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Where the counted sizes are kept.
const FILE: &str = "sekisho-sizes";
/// Its first line: it tells the form.
const HEADER: &[u8] = b"sekisho-sizes 1\n";
/// The largest one that is read, in octets: some hundred thousand messages.
const FILE_OCTETS_MAX: u64 = 64 << 20;
/// Lines of files that are gone before it is written anew.
const GONE_LINES_MAX: usize = 64;
/// How long files are counted at one opening of the maildrop. A client waits a minute; what is not counted then is listed next time.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest file that is read to count it, in octets: a hole of a terabyte costs its owner nothing and us a day.
const COUNTED_OCTETS_MAX: u64 = 2 << 30;
/// A file changed this lately may change again without another time of change: its size is not kept.
const SETTLED: Duration = Duration::from_secs(2);

/// Why a file is no message of the maildrop, today.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeftOut {
    #[error("no regular file")]
    NoFile,
    #[error("larger than what is counted")]
    TooLarge,
    #[error("not counted yet")]
    NotCounted,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A size that was counted, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    stored_octets: u64,
    changed_at: (i64, i64),
    sent_octets: u64,
}

/// The sizes of one mailbox's files.
pub(crate) struct Sizes {
    path: PathBuf,
    kept: HashMap<Vec<u8>, Counted>,
    used: Vec<(Vec<u8>, Counted)>,
    has_new: bool,
    until: Instant,
}

impl Sizes {
    /// What is known of a mailbox.
    pub(crate) fn of(maildir: &Path) -> Self {
        let path = maildir.join(FILE);
        let kept = read(&path).and_then(|text| parse(&text)).unwrap_or_default();
        Self { path, kept, used: Vec::new(), has_new: false, until: Instant::now() + PATIENCE }
    }

    /// The octets that RETR sends of a file.
    pub(crate) fn octets(&mut self, path: &Path, name: MessageName<'_>) -> Result<u64, LeftOut> {
        let data = fs::symlink_metadata(path)?;
        if !data.is_file() {
            return Err(LeftOut::NoFile);
        }
        may_read(path, &data)?;
        if let Some(octets) = named(name, data.len()) {
            return Ok(octets);
        }
        let changed_at = (data.mtime(), data.mtime_nsec());
        if let Some(kept) = self.kept.get(name.base).copied()
            && (kept.stored_octets, kept.changed_at) == (data.len(), changed_at)
        {
            self.used.push((name.base.to_vec(), kept));
            return Ok(kept.sent_octets);
        }
        if data.len() > COUNTED_OCTETS_MAX {
            return Err(LeftOut::TooLarge);
        }
        let sent_octets = count(path, self.until)?;
        if is_settled(&data) {
            self.used.push((name.base.to_vec(), Counted { stored_octets: data.len(), changed_at, sent_octets }));
            self.has_new = true;
        }
        Ok(sent_octets)
    }

    /// Keeps what was counted. A failure costs the next opening a count.
    pub(crate) fn keep(self) {
        let gone = self.kept.len().saturating_sub(self.used.len());
        if !self.has_new && gone <= self.used.len() + GONE_LINES_MAX {
            return;
        }
        let octets = print(&self.used);
        let file = keep::NewFile { path: &self.path, octets: &octets, mode: 0o600, owner: None };
        if let Err(error) = file.replace() {
            tracing::debug!(%error, "sizes unkept");
        }
    }
}

/// What the name tells, where it tells the truth about what can be seen at once.
fn named(name: MessageName<'_>, stored_octets: u64) -> Option<u64> {
    let octets = name.crlf_octets.filter(|_| name.stored_octets == Some(stored_octets))?;
    (stored_octets..=stored_octets.saturating_mul(2)).contains(&octets).then_some(octets)
}

/// Asks the system only where owner and mode do not tell.
fn may_read(path: &Path, data: &Metadata) -> io::Result<()> {
    let own = data.uid() == Uid::effective().as_raw() && data.mode() & 0o400 != 0;
    if own {
        return Ok(());
    }
    eaccess(path, AccessFlags::R_OK).map_err(io::Error::from)
}

fn is_settled(data: &Metadata) -> bool {
    data.modified().is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > SETTLED))
}

/// Octets as they are sent, read from the message itself.
fn count(path: &Path, until: Instant) -> Result<u64, LeftOut> {
    let mut file = plain::open(path)?;
    let (mut count, mut piece) = (CrlfCount::default(), vec![0; 32 * 1024]);
    loop {
        if Instant::now() >= until {
            return Err(LeftOut::NotCounted);
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(count.sent_octets()),
            Ok(octets) => count.push(&piece[..octets]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        // It grows as we read: whoever writes there is not done.
        if count.octets() > COUNTED_OCTETS_MAX.saturating_mul(2) {
            return Err(LeftOut::TooLarge);
        }
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let file = plain::open(path).ok()?;
    let mut text = Vec::new();
    file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= FILE_OCTETS_MAX).then_some(text)
}

/// Lines of `<octets stored> <seconds>.<nanoseconds> <octets sent> <name>`.
fn parse(text: &[u8]) -> Option<HashMap<Vec<u8>, Counted>> {
    let lines = text.strip_prefix(HEADER)?.split(|&octet| octet == b'\n').filter(|line| !line.is_empty());
    lines.map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<(Vec<u8>, Counted)> {
    let mut parts = line.splitn(4, |&octet| octet == b' ');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let stored_octets = text()?.parse().ok()?;
    let (secs, nanos) = text()?.split_once('.')?;
    let changed_at = (secs.parse().ok()?, nanos.parse().ok()?);
    let sent_octets = text()?.parse().ok()?;
    Some((parts.next()?.to_vec(), Counted { stored_octets, changed_at, sent_octets }))
}

fn print(sizes: &[(Vec<u8>, Counted)]) -> Vec<u8> {
    let mut text = HEADER.to_vec();
    for (base, Counted { stored_octets, changed_at: (secs, nanos), sent_octets }) in sizes {
        text.extend_from_slice(format!("{stored_octets} {secs}.{nanos} {sent_octets} ").as_bytes());
        text.extend_from_slice(base);
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn octets(sizes: &mut Sizes, path: &Path) -> Result<u64, LeftOut> {
        let name = path.file_name().unwrap().as_encoded_bytes();
        sizes.octets(path, MessageName::parse(name).unwrap())
    }

    fn written(path: &Path, text: &str, at: SystemTime) {
        fs::write(path, text).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn a_name_is_believed_only_where_it_tells_the_size() {
        let dir = tempfile::tempdir().unwrap();
        for (name, expected) in [
            ("1,S=4,W=7", 7),
            ("1,S=4,W=7:2,S", 7),
            ("1,S=4,W=3", 6),
            ("1,S=4,W=9", 6),
            ("1,S=3,W=7", 6),
            ("1,S=4", 6),
            ("1,W=7", 6),
            ("1", 6),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, "a\nb\n").unwrap();
            assert_eq!(octets(&mut Sizes::of(dir.path()), &path).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn counted_once_and_again_when_the_file_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (dir.path().join("1:2,S"), dir.path().join(FILE));
        let then = SystemTime::now() - Duration::from_mins(1);
        written(&path, "a\nb\n", then);
        let mut sizes = Sizes::of(dir.path());
        assert_eq!(octets(&mut sizes, &path).unwrap(), 6);
        sizes.keep();
        // What is kept is what is told: no second count.
        let text = fs::read_to_string(&kept).unwrap().replace(" 6 1\n", " 7 1\n");
        fs::write(&kept, &text).unwrap();
        let mut sizes = Sizes::of(dir.path());
        assert_eq!(octets(&mut sizes, &path).unwrap(), 7);
        sizes.keep();
        assert_eq!(fs::read_to_string(&kept).unwrap(), text);
        for (text, at, expected) in [("a\nbc\n", then, 7), ("abc\n", then + SETTLED, 5), ("a", then, 3), ("", then, 0)]
        {
            written(&path, text, at);
            assert_eq!(octets(&mut Sizes::of(dir.path()), &path).unwrap(), expected, "{text:?}");
        }
        fs::write(&kept, "nonsense\n").unwrap();
        assert!(Sizes::of(dir.path()).kept.is_empty());
    }

    #[test]
    fn what_may_still_change_is_not_kept_and_what_is_vast_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1");
        fs::write(&path, "a\n").unwrap();
        let mut sizes = Sizes::of(dir.path());
        assert_eq!(octets(&mut sizes, &path).unwrap(), 3);
        sizes.keep();
        assert!(!dir.path().join(FILE).exists());
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(octets(&mut Sizes::of(dir.path()), &path), Err(LeftOut::TooLarge)));
        File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
        let mut hurried = Sizes { until: Instant::now(), ..Sizes::of(dir.path()) };
        assert!(matches!(octets(&mut hurried, &path), Err(LeftOut::NotCounted)));
    }
}
