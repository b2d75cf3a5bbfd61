//! A mailbox as a POP3 maildrop: locked, listed, read, its deletions done at the end (RFC 1939 §3).

use crate::error::MaildropError;
use crate::listing::{self, Found, Row};
use crate::name::{self, MessageName};
use crate::sizes::Sizes;
use crate::{plain, quota};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The lock that a session holds. It is never deleted: deleting would let two sessions lock two files of one name.
const SESSION_LOCK: &str = "sekisho-pop3.lock";

/// One message of a maildrop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Octets with CRLF line ends: what LIST and STAT tell and RETR sends.
    pub octets: u64,
    /// Its UID, ascending.
    pub uid: u32,
    /// A unique-id brought along from another server (the uidlist's `P` field); it wins over the UID.
    pub foreign_unique_id: Option<Box<str>>,
    file: Found,
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
    /// a client will know them by it. What is no message, or cannot be read now, is left out and keeps nobody from the rest.
    pub fn open(maildir: &Path) -> Result<Self, MaildropError> {
        let lock = lock(maildir)?;
        let listed = listing::list(maildir)?;
        let entries = measure(maildir, listed.rows);
        Ok(Self { maildir: maildir.to_path_buf(), validity: listed.validity, entries, _lock: lock })
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
        match plain::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map_err(|error| MaildropError::io("opening", &path, error)),
        }
        let path = self.find(entry)?;
        plain::open(&path).map_err(|error| MaildropError::io("opening", &path, error))
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
        result.map_err(|error| MaildropError::io("deleting", &path, error))?;
        let stored = MessageName::parse(entry.file.name()).and_then(|name| name.stored_octets);
        Ok(stored.unwrap_or(entry.octets))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        entry.file.path(&self.maildir)
    }

    fn find(&self, entry: &Entry) -> Result<PathBuf, MaildropError> {
        let base = name::base(entry.file.name());
        let found = listing::scan(&self.maildir)?.files.into_iter().rfind(|found| name::base(found.name()) == base);
        let found = found.ok_or_else(|| self.gone(entry.uid))?;
        Ok(found.path(&self.maildir))
    }

    fn gone(&self, uid: u32) -> MaildropError {
        MaildropError::Gone { maildir: self.maildir.clone(), uid }
    }
}

/// A lock of the open file, so that it also holds between two sessions of one process, and ends with the process. Where no file can
/// be locked (something else has its name, the disk is full), the directory itself is.
fn lock(maildir: &Path) -> Result<File, MaildropError> {
    let path = maildir.join(SESSION_LOCK);
    let opened = plain::with(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600), &path);
    let opened = opened.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Err(error),
        _ => File::open(maildir),
    });
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => MaildropError::Missing { maildir: maildir.to_path_buf() },
        _ => MaildropError::io("opening", &path, error),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MaildropError::InUse { maildir: maildir.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(MaildropError::io("locking", &path, error)),
    }
}

/// The messages that can be sent, with their sizes.
fn measure(maildir: &Path, rows: Vec<Row>) -> Vec<Entry> {
    let mut sizes = Sizes::of(maildir);
    let mut entries = Vec::with_capacity(rows.len());
    let (mut left_out, mut example) = (0_u64, None);
    for Row { uid, foreign_unique_id, file } in rows {
        let Some(name) = MessageName::parse(file.name()) else { continue };
        let path = file.path(maildir);
        match sizes.octets(&path, name) {
            Ok(octets) => entries.push(Entry { octets, uid, foreign_unique_id, file }),
            Err(error) => {
                left_out += 1;
                example = example.or(Some((path, error)));
            }
        }
    }
    sizes.keep();
    if let Some((path, error)) = example {
        tracing::warn!(maildir = %maildir.display(), left_out, path = %path.display(), %error, "messages omitted");
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable;
    use nix::sys::stat::Mode;
    use std::ffi::OsStr;
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::{Duration, SystemTime};

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
        drop.entries()
            .iter()
            .map(|entry| (entry.uid, entry.octets, std::str::from_utf8(entry.file.name()).unwrap()))
            .collect()
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
        assert_eq!(uidlist(&dir), format!("3 V{validity} N4\n1 :10.M9.h,S=2,W=3:2,S\n2 :20.M5.h\n3 :20.M10.h\n"));
        drop(drop_1);
        put(&dir, "new/5.M1.h,S=5,W=6", "late\n");
        durable::rename(&dir.path().join("new/20.M5.h"), &dir.path().join("cur/20.M5.h:2,RS")).unwrap();
        let drop_2 = Maildrop::open(dir.path()).unwrap();
        let uids: Vec<u32> = drop_2.entries().iter().map(|entry| entry.uid).collect();
        assert_eq!((uids, drop_2.validity()), (vec![1, 2, 3, 4], validity));
        assert!(uidlist(&dir).ends_with("3 :20.M10.h\n4 :5.M1.h,S=5,W=6\n"));
        assert!(!dir.path().join("dovecot-uidlist.lock").exists());
    }

    #[test]
    fn a_size_that_the_uidlist_tells_is_counted_and_other_fields_are_kept() {
        let dir = maildir();
        let text = "3 V7 N30 Gabc\n5 Pold.1 W9 :1.h:2,\n9 :gone\n";
        put(&dir, "dovecot-uidlist", text);
        put(&dir, "cur/1.h:2,S", "a\nb\n");
        let then = SystemTime::now() - Duration::from_mins(1);
        File::options().write(true).open(dir.path().join("cur/1.h:2,S")).unwrap().set_modified(then).unwrap();
        let drop = Maildrop::open(dir.path()).unwrap();
        assert_eq!(told(&drop), [(5, 6, "1.h:2,S")]);
        assert_eq!(drop.unique_id(&drop.entries()[0]), "old.1");
        assert_eq!(uidlist(&dir), text);
        let kept = fs::read_to_string(dir.path().join("sekisho-sizes")).unwrap();
        assert!(kept.starts_with("sekisho-sizes 1\n4 ") && kept.ends_with(" 6 1.h\n"), "{kept}");
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

    /// Both are shown, by unique-ids that differ and stay; the one that was there first keeps its own.
    #[test]
    fn two_files_of_one_name_are_two_messages() {
        let dir = maildir();
        put(&dir, "cur/1.h,S=2:2,S", "a\n");
        let then = SystemTime::now() - Duration::from_mins(1);
        File::options().write(true).open(dir.path().join("cur/1.h,S=2:2,S")).unwrap().set_modified(then).unwrap();
        let before = Maildrop::open(dir.path()).unwrap();
        let first = before.unique_id(&before.entries()[0]);
        drop(before);
        put(&dir, "new/1.h,S=2", "b\n");
        put(&dir, "cur/1.h,S=2:2,", "c\n");
        let mut seen = Vec::new();
        for _ in 0..2 {
            let drop = Maildrop::open(dir.path()).unwrap();
            let texts = (0..drop.entries().len()).map(|index| {
                let mut text = String::new();
                drop.message(index).unwrap().read_to_string(&mut text).unwrap();
                (drop.unique_id(&drop.entries()[index]), text)
            });
            seen.push(texts.collect::<Vec<_>>());
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0][0], (first, "a\n".to_owned()));
        let mut texts: Vec<&str> = seen[0].iter().map(|(_, text)| text.as_str()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["a\n", "b\n", "c\n"]);
        Maildrop::open(dir.path()).unwrap().commit(&[0, 1, 2]).unwrap();
        assert!(Maildrop::open(dir.path()).unwrap().entries().is_empty());
    }

    #[test]
    fn what_is_no_message_is_not_listed() {
        let dir = maildir();
        put(&dir, "new/.nfs123", "x");
        put(&dir, "cur/a\nb", "x");
        assert!(Maildrop::open(dir.path()).unwrap().entries().is_empty());
        assert!(!dir.path().join("dovecot-uidlist").exists());
    }
    /// Everything that a name can be, of the right name and of a lying one.
    fn litter(dir: &Path) {
        for part in ["new", "cur"] {
            let at = |name: &str| dir.join(part).join(name);
            fs::create_dir(at("1.folder,S=2,W=3")).unwrap();
            fs::write(at("1.folder,S=2,W=3").join("in"), "it").unwrap();
            nix::unistd::mkfifo(&at("2.pipe:2,S"), Mode::S_IRWXU).unwrap();
            symlink("/etc/passwd", at("3.link")).unwrap();
            symlink("nowhere", at("4.dangling,S=2,W=3")).unwrap();
            symlink(".", at("5.loop")).unwrap();
            drop(std::os::unix::net::UnixListener::bind(at("6.socket")).unwrap());
        }
    }

    #[test]
    fn a_mailbox_with_everything_in_it_gives_the_messages() {
        let dir = maildir();
        litter(dir.path());
        put(&dir, "new/10.h,S=999,W=999", "a\nb");
        put(&dir, "cur/11.h,W=2:2,S", "a\n");
        fs::write(dir.path().join("new").join(OsStr::from_bytes(b"12.caf\xe9 \x83\x81")), "c\n").unwrap();
        put(&dir, "new/13.secret,S=2,W=3", "d\n");
        fs::set_permissions(dir.path().join("new/13.secret,S=2,W=3"), fs::Permissions::from_mode(0o0)).unwrap();
        let is_root = nix::unistd::Uid::effective().is_root();
        for _ in 0..2 {
            let drop = Maildrop::open(dir.path()).unwrap();
            let seen: Vec<_> = drop.entries().iter().map(|entry| (entry.uid, entry.octets)).collect();
            // Nobody keeps root from reading.
            let expected = if is_root { vec![(1, 6), (2, 3), (3, 3), (4, 3)] } else { vec![(1, 6), (2, 3), (3, 3)] };
            assert_eq!(seen, expected);
            let mut text = String::new();
            drop.message(2).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "c\n");
        }
        let drop = Maildrop::open(dir.path()).unwrap();
        drop.commit(&[0, 1, 2, 3]).unwrap();
        assert!(
            fs::symlink_metadata(dir.path().join("new/3.link")).is_ok()
                && dir.path().join("new/1.folder,S=2,W=3").exists()
        );
        assert!(Maildrop::open(dir.path()).unwrap().entries().is_empty());
    }

    #[test]
    fn whatever_has_the_name_of_one_of_our_files() {
        type Put = fn(&Path);
        let pipe: Put = |path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
        let folder: Put = |path| fs::create_dir_all(path.join("in")).unwrap();
        let link: Put = |path| symlink("cur/target", path).unwrap();
        let nonsense: Put = |path| fs::write(path, b"\xff\0\n\n\n").unwrap();
        for name in ["dovecot-uidlist", SESSION_LOCK, "sekisho-sizes", "maildirsize"] {
            for put_there in [pipe, folder, link, nonsense] {
                let dir = maildir();
                put(&dir, "new/1.h", "a\n");
                put(&dir, "cur/.target", "as it was");
                put_there(&dir.path().join(name));
                let drop_1 = Maildrop::open(dir.path()).unwrap();
                assert_eq!(told(&drop_1), [(1, 3, "1.h")], "{name}");
                assert!(matches!(Maildrop::open(dir.path()), Err(MaildropError::InUse { .. })), "{name}");
                drop(drop_1);
                let drop_2 = Maildrop::open(dir.path()).unwrap();
                assert_eq!(told(&drop_2), [(1, 3, "1.h")], "{name}");
                drop_2.commit(&[0]).unwrap();
                assert!(Maildrop::open(dir.path()).unwrap().entries().is_empty(), "{name}");
                assert_eq!(fs::read_to_string(dir.path().join("cur/.target")).unwrap(), "as it was", "{name}");
            }
        }
    }
}
