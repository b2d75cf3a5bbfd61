//! Durable delivery in batches: write many to `tmp`, sync all at once, rename all, sync each directory once.

use crate::durable;
use crate::line_ends::LfWriter;
use crate::name::{self, MessageName};
use crate::quota::{self, Quota, Usage};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets turned from CRLF to LF and written at a time.
const PIECE_OCTETS: usize = 16 * 1024;

/// Why a message is not in the mailbox. The spool keeps it in each of these cases.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The mailbox is at its limit.
    #[error("{maildir}: over quota")]
    OverQuota {
        /// The mailbox.
        maildir: PathBuf,
    },
    /// There is no such Maildir.
    #[error("{maildir}: no such Maildir")]
    Missing {
        /// The mailbox.
        maildir: PathBuf,
    },
    /// The file system is full.
    #[error("{path}: file system full")]
    Full {
        /// What was being written.
        path: PathBuf,
    },
    /// The message's own text could not be read from where it is kept.
    #[error("reading the message")]
    Source(#[source] io::Error),
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

impl DeliverError {
    fn new(op: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path: path.to_path_buf() },
            _ => Self::Io { path: path.to_path_buf(), op, source },
        }
    }
}

/// What makes a delivery the same delivery when it is tried again.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryKey<'a> {
    /// The spool's name for the message.
    pub queue_id: &'a str,
    /// Which of its recipients.
    pub recipient: usize,
    /// When the message was accepted, in microseconds since 1970.
    pub arrived_at_unix_micros: u64,
}

/// Whether the mailbox may have the message already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Never tried before: nothing is looked for.
    First,
    /// Tried before, or in flight when the program was killed: looked for in `new` and `cur` first.
    Again,
}

/// One message for one mailbox.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The mailbox.
    pub maildir: &'a Path,
    /// Which delivery this is.
    pub key: DeliveryKey<'a>,
    /// Whether it may be there already.
    pub attempt: Attempt,
    /// The mailbox's limits.
    pub quota: Quota,
    /// Header lines to stand before the message (`Return-Path:`, `Delivered-To:`), CRLF or LF.
    pub head: &'a [u8],
}

/// A message written to `tmp`, neither durable nor visible yet. Dropped without [`Delivery::commit`], it is deleted.
#[derive(Debug)]
pub struct Tmp {
    maildir: PathBuf,
    scratch: PathBuf,
    file: File,
    base: String,
    octets: u64,
    quota: Quota,
    attempt: Attempt,
    renamed: bool,
}

impl Drop for Tmp {
    fn drop(&mut self) {
        if !self.renamed {
            // What stays behind is swept by [`crate::sweep_tmp`].
            let _ = fs::remove_file(&self.scratch);
        }
    }
}

/// What became of a committed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It is in `new` under this name, durably.
    Now {
        /// The file's name.
        file_name: String,
    },
    /// An earlier attempt had put it there.
    Before,
}

/// The delivering side of this process.
#[derive(Debug)]
pub struct Delivery {
    host: String,
    process: u32,
    sequence: AtomicU64,
}

impl Delivery {
    /// `hostname` becomes a part of every file name; it must stay the same for repeated deliveries to be recognised.
    pub fn new(hostname: &str) -> Self {
        let mut host = String::new();
        name::push_escaped(hostname, &mut host);
        Self { host, process: std::process::id(), sequence: AtomicU64::new(0) }
    }

    /// Writes a message to the mailbox's `tmp`, with LF line ends. `body` is read once, in pieces.
    pub fn write(&self, order: &Order<'_>, body: &mut dyn Read) -> Result<Tmp, DeliverError> {
        let unique = self.unique(order.key);
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        let scratch = order.maildir.join("tmp").join(format!("{unique}.P{}N{number}", self.process));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&scratch);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeliverError::Missing { maildir: order.maildir.to_path_buf() },
            _ => DeliverError::new("creating", &scratch, error),
        })?;
        let mut tmp = Tmp {
            maildir: order.maildir.to_path_buf(),
            scratch,
            file,
            base: unique,
            octets: 0,
            quota: order.quota,
            attempt: order.attempt,
            renamed: false,
        };
        let sizes = copy(order.head, body, &mut tmp)?;
        tmp.octets = sizes.lf_octets();
        let _ = write!(tmp.base, ",S={},W={}", sizes.lf_octets(), sizes.crlf_octets());
        Ok(tmp)
    }

    /// Makes a batch durable and visible; the results are in the order of the batch. Each file is synced before its
    /// rename and each directory after its last one, so that `Ok` means: there after a power cut.
    pub fn commit(&self, batch: Vec<Tmp>) -> Vec<Result<Delivered, DeliverError>> {
        let mut fates: Vec<Fate> = batch.into_iter().map(Fate::Open).collect();
        find_earlier(&mut fates);
        judge_quota(&mut fates);
        sync(&mut fates);
        publish(&mut fates);
        count(&fates);
        fates.into_iter().map(Fate::into_result).collect()
    }

    fn unique(&self, key: DeliveryKey<'_>) -> String {
        let (secs, micros) = (key.arrived_at_unix_micros / 1_000_000, key.arrived_at_unix_micros % 1_000_000);
        let mut unique = String::with_capacity(160);
        let _ = write!(unique, "{secs}.M{micros}Q");
        name::push_escaped(key.queue_id, &mut unique);
        let _ = write!(unique, "R{}.{}", key.recipient, self.host);
        unique
    }
}

/// Where a message of a batch is on its way through [`Delivery::commit`].
enum Fate {
    Open(Tmp),
    Done(Tmp),
    Before,
    Failed(DeliverError),
}

impl Fate {
    fn into_result(self) -> Result<Delivered, DeliverError> {
        match self {
            Self::Done(mut tmp) => Ok(Delivered::Now { file_name: std::mem::take(&mut tmp.base) }),
            Self::Before => Ok(Delivered::Before),
            Self::Failed(error) => Err(error),
            // `publish` leaves nothing open; if it did, the message is not there.
            Self::Open(tmp) => Err(DeliverError::Io {
                path: tmp.scratch.clone(),
                op: "publishing",
                source: io::ErrorKind::Other.into(),
            }),
        }
    }
}

fn copy(head: &[u8], body: &mut dyn Read, tmp: &mut Tmp) -> Result<LfWriter, DeliverError> {
    let mut lines = LfWriter::default();
    let mut piece = vec![0; PIECE_OCTETS];
    let mut out = Vec::with_capacity(PIECE_OCTETS + head.len());
    lines.push(head, &mut out);
    let mut last = None;
    loop {
        let octets = match body.read(&mut piece) {
            Ok(octets) => octets,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(DeliverError::Source(error)),
        };
        lines.push(&piece[..octets], &mut out);
        if octets == 0 {
            lines.finish(&mut out);
            // A last line without its end would be told shorter than a POP3 server, who must end it, sends it.
            if out.last().or(last.as_ref()).is_some_and(|&octet| octet != b'\n') {
                lines.push(b"\n", &mut out);
            }
        }
        if octets == 0 || out.len() >= PIECE_OCTETS {
            tmp.file.write_all(&out).map_err(|error| DeliverError::new("writing", &tmp.scratch, error))?;
            last = out.last().copied().or(last);
            out.clear();
        }
        if octets == 0 {
            return Ok(lines);
        }
    }
}

/// One look through each mailbox for all that may be there already.
fn find_earlier(fates: &mut [Fate]) {
    let mut seen: HashMap<PathBuf, io::Result<HashSet<Vec<u8>>>> = HashMap::new();
    for fate in fates {
        let Fate::Open(tmp) = fate else { continue };
        if tmp.attempt == Attempt::First {
            continue;
        }
        let names = seen.entry(tmp.maildir.clone()).or_insert_with(|| uniques(&tmp.maildir));
        match names {
            Ok(names) if names.contains(unique_of(tmp.base.as_bytes())) => *fate = Fate::Before,
            Ok(_) => {}
            Err(error) => *fate = Fate::Failed(DeliverError::new("listing", &tmp.maildir, again(error))),
        }
    }
}

fn uniques(maildir: &Path) -> io::Result<HashSet<Vec<u8>>> {
    let mut names = HashSet::new();
    // `new` first: what a reader moves to `cur` meanwhile is then seen at least once.
    for part in ["new", "cur"] {
        for entry in fs::read_dir(maildir.join(part))? {
            names.insert(unique_of(entry?.file_name().as_bytes()).to_owned());
        }
    }
    Ok(names)
}

fn unique_of(file_name: &[u8]) -> &[u8] {
    MessageName::parse(file_name).map_or(file_name, |name| name.unique())
}

/// Takes out what would exceed a mailbox's quota, counting the batch's own earlier messages.
fn judge_quota(fates: &mut [Fate]) {
    let mut pending: HashMap<PathBuf, Usage> = HashMap::new();
    for fate in fates {
        let Fate::Open(tmp) = fate else { continue };
        if !tmp.quota.is_limited() {
            continue;
        }
        let more = pending.entry(tmp.maildir.clone()).or_default();
        let with = Usage { octets: more.octets + tmp.octets, messages: more.messages + 1 };
        match quota::has_room(&tmp.maildir, tmp.quota, with) {
            Ok(true) => *more = with,
            Ok(false) => *fate = Fate::Failed(DeliverError::OverQuota { maildir: tmp.maildir.clone() }),
            Err(error) => *fate = Fate::Failed(DeliverError::new("reading the quota of", &tmp.maildir, error)),
        }
    }
}

fn sync(fates: &mut [Fate]) {
    let files: Vec<&File> = fates.iter().filter_map(|fate| open_tmp(fate).map(|tmp| &tmp.file)).collect();
    let mut results = durable::sync_files(&files).into_iter();
    for fate in fates {
        let Some(tmp) = open_tmp(fate) else { continue };
        if let Some(Err(error)) = results.next() {
            *fate = Fate::Failed(DeliverError::new("syncing", &tmp.scratch, error));
        }
    }
}

fn open_tmp(fate: &Fate) -> Option<&Tmp> {
    match fate {
        Fate::Open(tmp) => Some(tmp),
        _ => None,
    }
}

/// Renames into `new` and syncs each `new` once.
fn publish(fates: &mut [Fate]) {
    let mut touched = BTreeSet::new();
    for fate in fates.iter_mut() {
        let Fate::Open(tmp) = fate else { continue };
        let new = tmp.maildir.join("new");
        match durable::rename(&tmp.scratch, &new.join(&tmp.base)) {
            Ok(()) => {
                tmp.renamed = true;
                touched.insert(new);
            }
            Err(error) => *fate = Fate::Failed(DeliverError::new("renaming", &tmp.scratch, error)),
        }
    }
    let touched: Vec<PathBuf> = touched.into_iter().collect();
    let synced: HashMap<&Path, io::Result<()>> =
        touched.iter().map(PathBuf::as_path).zip(durable::sync_dirs(&touched)).collect();
    for fate in fates {
        *fate = match std::mem::replace(fate, Fate::Before) {
            Fate::Open(tmp) => match synced.get(tmp.maildir.join("new").as_path()) {
                Some(Ok(())) => Fate::Done(tmp),
                Some(Err(error)) => Fate::Failed(DeliverError::new("syncing new of", &tmp.maildir, again(error))),
                None => Fate::Open(tmp),
            },
            other => other,
        };
    }
}

/// Tells `maildirsize` once per mailbox what came.
fn count(fates: &[Fate]) {
    let mut came: HashMap<&Path, (i64, i64)> = HashMap::new();
    for fate in fates {
        let Fate::Done(tmp) = fate else { continue };
        let sum = came.entry(&tmp.maildir).or_default();
        *sum = (sum.0.saturating_add_unsigned(tmp.octets), sum.1 + 1);
    }
    for (maildir, (octets, messages)) in came {
        if let Err(error) = quota::add(maildir, octets, messages) {
            tracing::warn!(maildir = %maildir.display(), %error, note = "it is recounted in time", "maildirsize outdated");
        }
    }
}

/// The same failure once more, for each message that it hit.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Subject: a\r\n\r\nbody\r\n";

    fn maildir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        crate::create(dir.path()).unwrap();
        dir
    }

    fn order<'a>(maildir: &'a Path, queue_id: &'a str) -> Order<'a> {
        let key = DeliveryKey { queue_id, recipient: 0, arrived_at_unix_micros: 1_700_000_000_000_042 };
        Order { maildir, key, attempt: Attempt::First, quota: Quota::NONE, head: b"Return-Path: <>\r\n" }
    }

    fn one(delivery: &Delivery, order: &Order<'_>) -> Result<Delivered, DeliverError> {
        let tmp = delivery.write(order, &mut &MESSAGE[..])?;
        delivery.commit(vec![tmp]).pop().unwrap()
    }

    fn files(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn stored_with_lf_under_a_name_that_tells_both_sizes() {
        let dir = maildir();
        let delivered = one(&Delivery::new("mx.example.test"), &order(dir.path(), "Ab1")).unwrap();
        let file_name = "1700000000.M42QAb1R0.mx.example.test,S=33,W=37".to_owned();
        assert_eq!(delivered, Delivered::Now { file_name: file_name.clone() });
        let stored = fs::read(dir.path().join("new").join(file_name)).unwrap();
        assert_eq!(stored, b"Return-Path: <>\nSubject: a\n\nbody\n");
        assert!(files(&dir.path().join("tmp")).is_empty());
    }

    #[test]
    fn uncommitted_leaves_nothing() {
        let dir = maildir();
        drop(Delivery::new("mx").write(&order(dir.path(), "A"), &mut &MESSAGE[..]).unwrap());
        assert!(files(&dir.path().join("tmp")).is_empty() && files(&dir.path().join("new")).is_empty());
    }

    #[test]
    fn t38_done_before_is_not_done_again_wherever_the_reader_put_it() {
        let dir = maildir();
        let delivery = Delivery::new("mx");
        let again = Order { attempt: Attempt::Again, ..order(dir.path(), "A") };
        let Delivered::Now { file_name } = one(&delivery, &again).unwrap() else { panic!("not there yet") };
        assert_eq!(one(&delivery, &again).unwrap(), Delivered::Before);
        fs::hard_link(dir.path().join("new").join(&file_name), dir.path().join("cur").join(format!("{file_name}:2,S")))
            .unwrap();
        fs::remove_file(dir.path().join("new").join(&file_name)).unwrap();
        assert_eq!(one(&delivery, &again).unwrap(), Delivered::Before);
        assert!(files(&dir.path().join("new")).is_empty() && files(&dir.path().join("tmp")).is_empty());
        let other = Order { attempt: Attempt::Again, ..order(dir.path(), "AA") };
        assert!(matches!(one(&delivery, &other).unwrap(), Delivered::Now { .. }));
    }

    #[test]
    fn a_batch_over_several_mailboxes_has_a_result_each() {
        let (dir_a, dir_b) = (maildir(), maildir());
        let delivery = Delivery::new("mx");
        let quota = Quota { octets: None, messages: Some(2) };
        let mut batch = Vec::new();
        for queue_id in ["A", "B", "C"] {
            let limited = Order { quota, ..order(dir_a.path(), queue_id) };
            batch.push(delivery.write(&limited, &mut &MESSAGE[..]).unwrap());
            batch.push(delivery.write(&order(dir_b.path(), queue_id), &mut &MESSAGE[..]).unwrap());
        }
        let results = delivery.commit(batch);
        let told: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(told, [true, true, true, true, false, true]);
        assert!(matches!(results[4], Err(DeliverError::OverQuota { .. })));
        assert_eq!(files(&dir_a.path().join("new")).len(), 2);
        assert_eq!(files(&dir_b.path().join("new")).len(), 3);
        assert!(files(&dir_a.path().join("tmp")).is_empty());
        assert_eq!(quota::usage(dir_a.path(), quota).unwrap().messages, 2);
    }

    #[test]
    fn one_mailbox_that_went_away_fails_alone() {
        let (dir_a, dir_b) = (maildir(), maildir());
        let delivery = Delivery::new("mx");
        let batch = [&dir_a, &dir_b].map(|dir| delivery.write(&order(dir.path(), "A"), &mut &MESSAGE[..]).unwrap());
        fs::remove_dir(dir_a.path().join("new")).unwrap();
        let results = delivery.commit(batch.into());
        assert!(matches!(results[0], Err(DeliverError::Io { .. })) && results[1].is_ok());
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    #[test]
    fn no_maildir_no_source() {
        let delivery = Delivery::new("mx");
        let missing = delivery.write(&order(Path::new("/nonexistent"), "A"), &mut &MESSAGE[..]);
        assert!(matches!(missing, Err(DeliverError::Missing { .. })));
        let dir = maildir();
        let broken = delivery.write(&order(dir.path(), "A"), &mut Broken);
        assert!(matches!(broken, Err(DeliverError::Source(_))));
        assert!(files(&dir.path().join("tmp")).is_empty());
    }

    #[test]
    fn a_hostile_queue_id_stays_inside() {
        let dir = maildir();
        one(&Delivery::new("../../mx"), &order(dir.path(), "../x:2,S")).unwrap();
        assert_eq!(
            files(&dir.path().join("new")),
            ["1700000000.M42Q..\\057x\\0722\\054SR0...\\057..\\057mx,S=33,W=37"]
        );
    }
}
