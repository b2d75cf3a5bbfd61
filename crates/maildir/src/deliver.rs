//! Durable delivery in batches: write many to `tmp`, sync all at once, rename all, sync each directory once.

use crate::durable;
use crate::line_ends::LfWriter;
use crate::name::{self, MessageName};
use crate::quota::{self, Quota, Usage};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
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

impl Tmp {
    /// Octets as stored.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The mailbox.
    pub fn maildir(&self) -> &Path {
        &self.maildir
    }
}

impl Drop for Tmp {
    fn drop(&mut self) {
        if !self.renamed {
            // What stays behind is swept by `create::sweep_tmp`.
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
    loop {
        let octets = match body.read(&mut piece) {
            Ok(octets) => octets,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(DeliverError::Source(error)),
        };
        lines.push(&piece[..octets], &mut out);
        if octets == 0 {
            lines.finish(&mut out);
        }
        if octets == 0 || out.len() >= PIECE_OCTETS {
            tmp.file.write_all(&out).map_err(|error| DeliverError::new("writing", &tmp.scratch, error))?;
            out.clear();
        }
        if octets == 0 {
            return Ok(lines);
        }
    }
}

/// One look through each mailbox for all that may be there already.
fn find_earlier(fates: &mut [Fate]) {
    let mut seen: HashMap<PathBuf, io::Result<HashSet<String>>> = HashMap::new();
    for fate in fates {
        let Fate::Open(tmp) = fate else { continue };
        if tmp.attempt == Attempt::First {
            continue;
        }
        let names = seen.entry(tmp.maildir.clone()).or_insert_with(|| uniques(&tmp.maildir));
        match names {
            Ok(names) if names.contains(unique_of(&tmp.base)) => *fate = Fate::Before,
            Ok(_) => {}
            Err(error) => *fate = Fate::Failed(DeliverError::new("listing", &tmp.maildir, again(error))),
        }
    }
}

fn uniques(maildir: &Path) -> io::Result<HashSet<String>> {
    let mut names = HashSet::new();
    // `new` first: what a reader moves to `cur` meanwhile is then seen at least once.
    for part in ["new", "cur"] {
        for entry in fs::read_dir(maildir.join(part))? {
            let name = entry?.file_name();
            if let Some(name) = name.to_str() {
                names.insert(unique_of(name).to_owned());
            }
        }
    }
    Ok(names)
}

fn unique_of(file_name: &str) -> &str {
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
    let mut touched: HashMap<PathBuf, Result<(), io::Error>> = HashMap::new();
    for fate in fates.iter_mut() {
        let Fate::Open(tmp) = fate else { continue };
        let new = tmp.maildir.join("new");
        match durable::rename(&tmp.scratch, &new.join(&tmp.base)) {
            Ok(()) => {
                tmp.renamed = true;
                touched.entry(new).or_insert(Ok(()));
            }
            Err(error) => *fate = Fate::Failed(DeliverError::new("renaming", &tmp.scratch, error)),
        }
    }
    for (new, result) in &mut touched {
        *result = durable::sync_dir(new);
    }
    for fate in fates {
        *fate = match std::mem::replace(fate, Fate::Before) {
            Fate::Open(tmp) => match touched.get(&tmp.maildir.join("new")) {
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
            tracing::warn!(maildir = %maildir.display(), %error, "maildirsize not brought up to date; it is recounted in time");
        }
    }
}

/// The same failure once more, for each message that it hit.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
