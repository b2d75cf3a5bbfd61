//! Maildir++ quota: the file `maildirsize`, shared with Dovecot's `maildir` quota driver and Courier.
//!
//! First line the limits (`1000S,10C`), then one line `octets messages` per change, to be summed. It is only a cache of
//! what the file names say: it is recounted when it grew, when it is of other limits, or before mail is refused for it.

use crate::name::MessageName;
use crate::{durable, plain};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Size at which the file is written anew, in octets (Maildir++ has it so).
const FILE_OCTETS_MAX: u64 = 5120;
/// A sum older than this is not believed when it says "over quota".
const BELIEVED: Duration = Duration::from_mins(15);

/// What a mailbox may hold; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets as stored.
    pub octets: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
}

/// What a mailbox holds, folders included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets as stored.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

impl Quota {
    /// No limit at all.
    pub const NONE: Self = Self { octets: None, messages: None };

    /// Whether there is any limit.
    pub fn is_limited(&self) -> bool {
        self.octets.is_some() || self.messages.is_some()
    }

    /// Whether a mailbox with this use may take `more`.
    pub fn has_room(&self, usage: Usage, more: Usage) -> bool {
        self.octets.is_none_or(|limit| usage.octets.saturating_add(more.octets) <= limit)
            && self.messages.is_none_or(|limit| usage.messages.saturating_add(more.messages) <= limit)
    }

    fn definition(&self) -> String {
        let mut text = String::new();
        if let Some(octets) = self.octets {
            let _ = write!(text, "{octets}S");
        }
        if let Some(messages) = self.messages {
            let _ = write!(text, "{}{messages}C", if text.is_empty() { "" } else { "," });
        }
        text
    }
}

/// Whether the mailbox has room for `more`: asked before the data of a mail is taken (RFC 5321 §4.2.3, 552/452).
pub fn has_room(maildir: &Path, quota: Quota, more: Usage) -> io::Result<bool> {
    if !quota.is_limited() {
        return Ok(true);
    }
    let known = current(maildir, quota)?;
    Ok(quota.has_room(known.usage, more) || (!known.fresh && quota.has_room(recount(maildir, quota)?, more)))
}

/// What the mailbox holds now. Counts the files when there is no `maildirsize` with these limits.
pub fn usage(maildir: &Path, quota: Quota) -> io::Result<Usage> {
    Ok(current(maildir, quota)?.usage)
}

/// Adds a change to `maildirsize` if there is one.
pub(crate) fn add(maildir: &Path, octets: i64, messages: i64) -> io::Result<()> {
    match plain::append(&maildir.join("maildirsize")) {
        Ok(mut file) => file.write_all(format!("{octets} {messages}\n").as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

struct Known {
    usage: Usage,
    /// Counted from the files just now, so that another count would say the same.
    fresh: bool,
}

fn current(maildir: &Path, quota: Quota) -> io::Result<Known> {
    let mut text = String::new();
    let modified = match plain::open(&maildir.join("maildirsize")) {
        Ok(file) => {
            let modified = file.metadata()?.modified()?;
            // What is no text is no maildirsize: the sum of nothing has the wrong limits and is counted anew.
            let _ = file.take(FILE_OCTETS_MAX + 1).read_to_string(&mut text);
            modified
        }
        // Whatever else may be there: the files are counted.
        Err(_) => SystemTime::UNIX_EPOCH,
    };
    match sum(&text, quota) {
        Some(usage) if text.len() as u64 <= FILE_OCTETS_MAX => {
            let young = modified.elapsed().is_ok_and(|age| age < BELIEVED);
            Ok(Known { usage, fresh: young && text.lines().count() <= 2 })
        }
        _ => Ok(Known { usage: recount(maildir, quota)?, fresh: true }),
    }
}

/// Sums the lines; `None` when the limits are others or a line is broken.
fn sum(text: &str, quota: Quota) -> Option<Usage> {
    let mut lines = text.lines();
    if lines.next()? != quota.definition() {
        return None;
    }
    let (mut octets, mut messages) = (0i64, 0i64);
    for line in lines {
        let (more_octets, more_messages) = line.trim().split_once(' ')?;
        octets = octets.checked_add(more_octets.parse().ok()?)?;
        messages = messages.checked_add(more_messages.trim().parse().ok()?)?;
    }
    Some(Usage { octets: octets.try_into().ok()?, messages: messages.try_into().ok()? })
}

fn recount(maildir: &Path, quota: Quota) -> io::Result<Usage> {
    let mut usage = Usage::default();
    count_folder(maildir, &mut usage)?;
    for entry in fs::read_dir(maildir)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") && entry.file_type()?.is_dir() {
            // A folder that cannot be read keeps nobody's mail out.
            if let Err(error) = count_folder(&entry.path(), &mut usage) {
                tracing::debug!(folder = %entry.path().display(), %error, "folder uncounted");
            }
        }
    }
    if let Err(error) = write_anew(maildir, quota, usage) {
        tracing::debug!(maildir = %maildir.display(), %error, "maildirsize unkept");
    }
    Ok(usage)
}

fn count_folder(folder: &Path, usage: &mut Usage) -> io::Result<()> {
    for part in ["new", "cur"] {
        let entries = match fs::read_dir(folder.join(part)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = MessageName::parse(name.as_bytes()) else { continue };
            if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            // A file that vanished since is not counted.
            let Some(octets) = name.stored_octets.or_else(|| entry.metadata().ok().map(|data| data.len())) else {
                continue;
            };
            usage.octets = usage.octets.saturating_add(octets);
            usage.messages += 1;
        }
    }
    Ok(())
}

fn write_anew(maildir: &Path, quota: Quota, usage: Usage) -> io::Result<()> {
    let tmp = maildir.join("tmp").join(format!("maildirsize.{}.{:?}", std::process::id(), std::thread::current().id()));
    let mut file = plain::with(OpenOptions::new().write(true).create(true).truncate(true).mode(0o600), &tmp)?;
    file.write_all(format!("{}\n{} {}\n", quota.definition(), usage.octets, usage.messages).as_bytes())?;
    // Not synced: a cache that a crash may lose is counted again.
    durable::rename(&tmp, &maildir.join("maildirsize"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Quota = Quota { octets: Some(10), messages: Some(3) };

    fn maildir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        crate::create(dir.path()).unwrap();
        dir
    }

    #[test]
    fn counted_from_names_files_and_folders_then_kept() {
        let dir = maildir();
        fs::write(dir.path().join("new/1.a,S=4"), "xxxx").unwrap();
        fs::write(dir.path().join("cur/2.a:2,S"), "xx").unwrap();
        fs::create_dir_all(dir.path().join(".Sent/cur")).unwrap();
        fs::write(dir.path().join(".Sent/cur/3.a,S=1:2,S"), "x").unwrap();
        assert_eq!(usage(dir.path(), TEN).unwrap(), Usage { octets: 7, messages: 3 });
        assert_eq!(fs::read_to_string(dir.path().join("maildirsize")).unwrap(), "10S,3C\n7 3\n");
        add(dir.path(), -4, -1).unwrap();
        assert_eq!(usage(dir.path(), TEN).unwrap(), Usage { octets: 3, messages: 2 });
    }

    #[test]
    fn a_stale_sum_refuses_nobody() {
        let dir = maildir();
        fs::write(dir.path().join("maildirsize"), "10S,3C\n9 1\n9 1\n").unwrap();
        assert!(has_room(dir.path(), TEN, Usage { octets: 5, messages: 1 }).unwrap());
        assert!(!has_room(dir.path(), TEN, Usage { octets: 11, messages: 1 }).unwrap());
    }

    #[test]
    fn other_limits_broken_lines_and_growth_are_counted_anew() {
        let dir = maildir();
        let grown = format!("10S,3C\n{}", "1 1\n-1 -1\n".repeat(600));
        for text in ["99S\n5 1\n", "10S,3C\nx y\n", "", "10S,3C\n-5 -1\n", &grown] {
            fs::write(dir.path().join("maildirsize"), text).unwrap();
            assert_eq!(usage(dir.path(), TEN).unwrap(), Usage::default(), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_takes_no_room_and_what_is_no_file_is_not_waited_for() {
        let dir = maildir();
        fs::create_dir(dir.path().join("new/1.folder,S=99")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("cur/2.link,S=99")).unwrap();
        fs::create_dir(dir.path().join(".Odd")).unwrap();
        fs::write(dir.path().join(".Odd/new"), "a file").unwrap();
        fs::write(dir.path().join("cur/3.a,S=4"), "xxxx").unwrap();
        nix::unistd::mkfifo(&dir.path().join("maildirsize"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(add(dir.path(), 1, 1).is_err());
        assert_eq!(usage(dir.path(), TEN).unwrap(), Usage { octets: 4, messages: 1 });
        fs::remove_file(dir.path().join("maildirsize")).unwrap();
        fs::create_dir_all(dir.path().join("maildirsize/in")).unwrap();
        assert!(has_room(dir.path(), TEN, Usage { octets: 6, messages: 1 }).unwrap());
        assert!(!has_room(dir.path(), TEN, Usage { octets: 7, messages: 1 }).unwrap());
    }

    #[test]
    fn no_limit_makes_no_file() {
        let dir = maildir();
        assert!(has_room(dir.path(), Quota::NONE, Usage { octets: u64::MAX, messages: 1 }).unwrap());
        assert!(!dir.path().join("maildirsize").exists());
    }
}
