//! When each right to relay was last used: what an audit needs to say which of them nobody uses any more.
//!
//! A use is noted in memory, behind a lock that is held for a look-up, and written with the others at most once a minute and at
//! the end: what a kill takes is a minute at most. It is no evidence and gives nothing. A right of which nothing is known was not
//! used since the table began to watch ([`Noted::since_secs`]); where there was no room for all, since the oldest that was
//! forgotten.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use guard::{RelayPolicy, Right, Subject};
use keep::{Accepts, KeepError, NewFile};
use smtp::Domain;

/// Rights that are remembered; the one that was not used longest goes.
const RIGHTS_MAX: usize = 100_000;
/// Between two writes.
const UNWRITTEN: Duration = Duration::from_mins(1);
/// Octets of a key: a login or a name is shorter.
const KEY_OCTETS_MAX: usize = 512;
/// Longest file: so many rights with their keys.
const FILE_OCTETS_MAX: u64 = 128 << 20;
/// The first word of the file, and its form.
const HEAD: &str = "rights-used 1";

/// Which right: its code ([`Right::code`], `device` or `drac`), and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RightKey {
    /// Stable word.
    pub code: &'static str,
    /// The network, the client map's entry, the account, `ACCOUNT DEVICE`, the server.
    pub what: String,
}

/// The last use of a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    /// Seconds since 1970.
    pub at_secs: u64,
    /// The client.
    pub from: Option<IpAddr>,
}

/// What is known of uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// From when on every use is known, in seconds since 1970.
    pub since_secs: u64,
    /// The last use of each.
    pub last: HashMap<RightKey, LastUse>,
}

/// The table of a running server.
#[derive(Debug)]
pub struct Uses {
    path: Option<PathBuf>,
    table: Mutex<Table>,
    /// One write at a time.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct Table {
    noted: Noted,
    is_new: bool,
    written: Option<Instant>,
}

/// The codes that a key may have.
const CODES: [&str; 6] = ["auth", "device", "network", "client-map", "pop", "drac"];

impl RightKey {
    /// Of a right that a client used.
    pub fn of(right: &Right, policy: &RelayPolicy, client: Option<IpAddr>, name: Option<&Domain>) -> Option<Self> {
        let (code, what) = match right {
            Right::Auth { login, device: None } => ("auth", login.clone()),
            Right::Auth { login, device: Some(device) } => return Self::device(login, device),
            Right::Network(_) => ("network", policy.network_of(client?)?.to_string()),
            Right::ClientMap(_) => {
                let net = client.and_then(|client| policy.client_network_of(client)).map(|net| net.to_string());
                ("client-map", net.or_else(|| policy.client_name_of(name?))?)
            }
            Right::Pop { subject: Subject::Account(login), .. } => ("pop", login.clone()),
            Right::Pop { subject: Subject::Server(server), .. } => ("drac", server.to_string()),
        };
        Self::new(code, what)
    }

    /// Of a device.
    pub fn device(account: &str, device: &str) -> Option<Self> {
        Self::new("device", format!("{account} {device}"))
    }

    /// A key; `None`: it cannot be kept.
    pub fn new(code: &str, what: impl Into<String>) -> Option<Self> {
        let (code, what) = (CODES.into_iter().find(|known| *known == code)?, what.into());
        let is_good = what.len() <= KEY_OCTETS_MAX && !what.is_empty() && !what.chars().any(char::is_control);
        is_good.then_some(Self { code, what })
    }
}

impl LastUse {
    /// By this client, now.
    pub fn now(from: Option<IpAddr>) -> Self {
        Self { at_secs: secs(SystemTime::now()), from }
    }
}

impl Uses {
    /// Those that a file has, and it is written again. One that is not there, or cannot be read, is begun: it only says less.
    pub fn open(path: &Path) -> Self {
        let (noted, is_new) = match read(path) {
            Ok(noted) => (noted, false),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, note = "it is begun anew", "uses unread");
                }
                (Noted { since_secs: secs(SystemTime::now()), last: HashMap::new() }, true)
            }
        };
        Self { path: Some(path.to_owned()), ..Self::of(Table { noted, is_new, written: None }) }
    }

    /// In memory alone.
    pub fn unkept() -> Self {
        let noted = Noted { since_secs: secs(SystemTime::now()), last: HashMap::new() };
        Self::of(Table { noted, is_new: false, written: None })
    }

    fn of(table: Table) -> Self {
        Self { path: None, table: Mutex::new(table), writing: Mutex::new(()) }
    }

    // Whole after a panic, too: each entry is put there in one step.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a use.
    pub fn note(&self, key: RightKey, last: LastUse) {
        let mut table = self.table();
        if !table.noted.last.contains_key(&key) && table.noted.last.len() >= RIGHTS_MAX {
            table.noted.make_room();
        }
        table.noted.last.insert(key, last);
        table.is_new = true;
    }

    /// What is known now.
    pub fn noted(&self) -> Noted {
        self.table().noted.clone()
    }

    /// Whether there is something to write, and it is time to.
    pub fn is_due(&self, now: Instant) -> bool {
        let table = self.table();
        table.is_new && table.written.is_none_or(|written| now.saturating_duration_since(written) >= UNWRITTEN)
    }

    /// Writes what is new, unless somebody is writing it. It waits for the disk.
    pub fn write(&self) -> Result<(), KeepError> {
        let Some(path) = &self.path else { return Ok(()) };
        let Ok(_one) = self.writing.try_lock() else { return Ok(()) };
        let noted = {
            let mut table = self.table();
            table.written = Some(Instant::now());
            if !std::mem::replace(&mut table.is_new, false) {
                return Ok(());
            }
            table.noted.clone()
        };
        let octets = noted.text().into_bytes();
        let written = NewFile { path, octets: &octets, mode: 0o600, owner: None }.replace();
        if written.is_err() {
            self.table().is_new = true;
        }
        written
    }
}

impl Noted {
    /// Forgets the oldest tenth, so that it is not looked for at each use.
    fn make_room(&mut self) {
        let mut times: Vec<u64> = self.last.values().map(|last| last.at_secs).collect();
        let (_, until, _) = times.select_nth_unstable(RIGHTS_MAX / 10);
        let until = *until;
        self.last.retain(|_, last| last.at_secs > until);
        self.since_secs = self.since_secs.max(until);
    }

    /// When a right was used last.
    pub fn of(&self, key: Option<&RightKey>) -> Option<LastUse> {
        self.last.get(key?).copied()
    }

    /// `since SECS`, then a line for each: code, seconds, client, and the rest of the line is what.
    fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{HEAD}\nsince {}\n", self.since_secs);
        for (key, last) in &self.last {
            let from = last.from.map_or_else(|| "-".to_owned(), |from| from.to_string());
            // Writing into a text does not fail.
            let _ = writeln!(text, "{} {} {from} {}", key.code, last.at_secs, key.what);
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let since = lines.next().filter(|head| *head == HEAD).and_then(|_| lines.next())?;
        let since_secs = since.strip_prefix("since ")?.parse().ok()?;
        let mut last = HashMap::new();
        // A line that cannot be read is one right less that is known to be used.
        for line in lines.take(RIGHTS_MAX) {
            let mut words = line.splitn(4, ' ');
            let (code, at, from, what) = (words.next()?, words.next()?, words.next()?, words.next()?);
            let key = RightKey::new(code, what)?;
            last.insert(key, LastUse { at_secs: at.parse().ok()?, from: from.parse().ok() });
        }
        Some(Self { since_secs, last })
    }
}

/// What a file has: also for whoever looks while no server runs.
pub fn read(path: &Path) -> io::Result<Noted> {
    let octets = keep::read(path, FILE_OCTETS_MAX, Accepts::RegularFile)?;
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "not a table of uses");
    Noted::parse(std::str::from_utf8(&octets).map_err(|_| broken())?).ok_or_else(broken)
}

/// Where it lies below the folder of the data.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("rights.used")
}

fn secs(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: &str, what: &str) -> RightKey {
        RightKey::new(code, what).unwrap()
    }

    fn at(at_secs: u64) -> LastUse {
        LastUse { at_secs, from: Some([192, 0, 2, 7].into()) }
    }

    #[test]
    fn what_is_noted_is_there_after_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        let uses = Uses::open(&path);
        let since = uses.noted().since_secs;
        assert!(since > 0 && uses.is_due(Instant::now()), "that it watches is kept, too");
        uses.note(key("network", "192.0.2.0/28"), at(7));
        uses.note(key("device", "alice@example.test scanner"), LastUse { at_secs: 8, from: None });
        uses.write().unwrap();
        assert!(!uses.is_due(Instant::now()));
        uses.note(key("network", "192.0.2.0/28"), at(9));
        assert!(!uses.is_due(Instant::now()) && uses.is_due(Instant::now() + UNWRITTEN), "once a minute");
        uses.write().unwrap();
        let again = Uses::open(&path).noted();
        assert_eq!(again, uses.noted());
        assert_eq!((again.since_secs, again.of(Some(&key("network", "192.0.2.0/28")))), (since, Some(at(9))));
        assert_eq!(again.of(RightKey::device("alice@example.test", "scanner").as_ref()).unwrap().at_secs, 8);
    }

    #[test]
    fn what_is_forgotten_is_said() {
        let uses = Uses::unkept();
        for number in 0..=RIGHTS_MAX {
            uses.note(key("auth", &format!("u{number}@example.test")), at(2_000_000_000 + number as u64));
        }
        let noted = uses.noted();
        assert!(noted.last.len() <= RIGHTS_MAX && noted.last.len() > RIGHTS_MAX / 2);
        assert_eq!(noted.since_secs, 2_000_000_000 + RIGHTS_MAX as u64 / 10, "the newest that was forgotten");
    }

    #[test]
    fn a_broken_file_is_none() {
        for text in ["", "rights-used 1\n", "rights-used 2\nsince 1\n", "rights-used 1\nsince 1\nauth x - a\n"] {
            assert_eq!(Noted::parse(text), None, "{text:?}");
        }
        assert!(RightKey::new("auth", "a\nb").is_none() && RightKey::new("root", "a").is_none());
    }
}
