//! A backup is put in its place: read and verified whole, compared with the key, and only then moved to where a server looks. No server
//! may run, and what is there is put aside where that was asked for, never overwritten.
//!
//! | killed here | after it |
//! |---|---|
//! | while it is read or verified | all is as it was; `restore.staging` is removed by the next attempt |
//! | while parts are put aside or moved | `restore.unfinished` keeps every server from starting; the next attempt puts aside what is there |
//! | mark removed | it is restored |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use directory::{ServerKey, backup};
use spool::Spool;

use crate::BackupError;
use crate::disk;
use crate::manifest::{Manifest, Part};
use crate::passphrase::Passphrase;
use crate::places::Places;
use crate::stage;
use crate::store::CONFIG;

const STAGING: &str = "restore.staging";
const UNFINISHED: &str = "restore.unfinished";

/// What is wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The backup.
    pub from: &'a Path,
    /// Where the parts belong.
    pub places: &'a Places,
    /// Where the configuration belongs.
    pub config: &'a Path,
    /// Opens the keys in it.
    pub passphrase: Option<&'a Passphrase>,
    /// What to do without the key.
    pub lost_key: LostKey,
    /// What to do with what is there.
    pub existing: Existing,
}

/// Where neither the backup nor the place has the key of the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostKey {
    /// Nothing is restored.
    Refused,
    /// The devices are revoked.
    DevicesRevoked,
}

/// What is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is restored.
    Refused,
    /// It is put aside.
    PutAside,
}

/// What was done.
#[derive(Debug)]
pub struct Restored {
    /// What the backup tells of itself.
    pub manifest: Manifest,
    /// Devices that cannot log in any more.
    pub revoked: Vec<String>,
    /// Where what was there lies now.
    pub aside: Option<PathBuf>,
    /// What became of the configuration.
    pub config: ConfigPut,
}

/// What became of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigPut {
    /// There was none.
    Written,
    /// It is the same.
    Same,
    /// There is another one, which stays; the backup's lies here.
    Beside(PathBuf),
}

/// Fails while a restore is not at its end: what is there is of two servers.
pub fn refuse_unfinished(data_dir: &Path) -> io::Result<()> {
    let mark = data_dir.join(UNFINISHED);
    if !disk::is_there(&mark) {
        return Ok(());
    }
    let why = format!("{}: a restore was broken off; run `sekisho restore` again to the end", mark.display());
    Err(io::Error::other(why))
}

/// Restores. `told` hears how many octets were read. Blocks; must not be called within a runtime.
pub fn restore(wanted: &Wanted<'_>, told: impl FnMut(u64)) -> Result<Restored, BackupError> {
    let places = wanted.places;
    disk::make_dir(&places.data_dir)?;
    let _lock = Spool::keep_out(&places.queue).map_err(|error| BackupError::InUse(error.to_string()))?;
    state::State::look(&places.state).map_err(|error| BackupError::InUse(error.to_string()))?;
    let staging = places.data_dir.join(STAGING);
    disk::remove(&staging)?;
    let restored = stage::stage(wanted.from, &staging, told).and_then(|manifest| place(wanted, &staging, manifest));
    let removed = disk::remove(&staging);
    let restored = restored?;
    removed?;
    Ok(restored)
}

fn place(wanted: &Wanted<'_>, staging: &Path, manifest: Manifest) -> Result<Restored, BackupError> {
    let places = wanted.places;
    let revoked = see_to_the_key(wanted, staging)?;
    let moves = moves(places, staging, &manifest)?;
    let occupied: Vec<PathBuf> = moves.iter().flat_map(|it| &it.there).cloned().collect();
    let mark = places.data_dir.join(UNFINISHED);
    if !occupied.is_empty() && wanted.existing == Existing::Refused && !disk::is_there(&mark) {
        return Err(BackupError::Occupied(occupied));
    }
    disk::give_to_owner_of(&places.data_dir, staging)?;
    disk::sync_all_of(staging)?;
    keep::NewFile { path: &mark, octets: b"", mode: 0o600, owner: None }.replace()?;
    let aside = if occupied.is_empty() { None } else { Some(put_aside(&places.data_dir, &occupied)?) };
    for Move { from, to, .. } in moves.iter().filter(|it| disk::is_there(&it.from)) {
        if let Some(folder) = to.parent().filter(|folder| !folder.exists()) {
            disk::make_dir(folder)?;
            disk::give_to_owner_of(&places.data_dir, folder)?;
        }
        // An empty folder may be there.
        let _ = fs::remove_dir(to);
        disk::put(from, to)?;
    }
    let config = put_config(wanted, staging)?;
    for place in [&places.queue, &places.state] {
        // The lock in it was made here.
        disk::give_to_owner_of(&places.data_dir, place)?;
        disk::sync_all_of(place)?;
    }
    disk::sync_all_of(&places.data_dir)?;
    disk::remove(&mark)?;
    keep::sync_dir(&places.data_dir)?;
    Ok(Restored { manifest, revoked, aside, config })
}

/// A part on its way, and what is in its place.
struct Move {
    from: PathBuf,
    to: PathBuf,
    there: Vec<PathBuf>,
}

fn moves(places: &Places, staging: &Path, manifest: &Manifest) -> Result<Vec<Move>, BackupError> {
    let mut moves = Vec::new();
    let mut to = |from: &str, to: PathBuf, there: Vec<PathBuf>| {
        let there = there.into_iter().filter(|path| is_filled(path)).collect();
        moves.push(Move { from: staging.join(from), to, there });
    };
    for part in ["segments", "large"] {
        let place = places.queue.join(part);
        to(&format!("queue/{part}"), place.clone(), vec![place]);
    }
    let journal = state::State::journal(&places.state);
    to("state/state.journal", journal.clone(), vec![journal]);
    let companion = |end: &str| PathBuf::from(format!("{}{end}", places.accounts.display()));
    let database = vec![places.accounts.clone(), companion("-wal"), companion("-shm")];
    to("accounts/directory.sqlite", places.accounts.clone(), database);
    for (name, place) in [("server.key", places.key.clone()), ("chain.key", places.chain_key())] {
        let differs = differs(&staging.join("opened").join(name), &place);
        to(&format!("opened/{name}"), place.clone(), if differs { vec![place] } else { Vec::new() });
    }
    let record = places.data_dir.join("record");
    to("data/record", record.clone(), vec![record]);
    let staged = staging.join("data");
    let ours = if staged.is_dir() { disk::entries(&staged)? } else { Vec::new() };
    let theirs = disk::entries(&places.data_dir)?;
    let of_changes =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("audit.jsonl"));
    for path in theirs.into_iter().filter(|path| of_changes(path) && path.extension().is_none_or(|end| end != "lock")) {
        to("none", path.clone(), vec![path]);
    }
    for path in ours.into_iter().filter(|path| !path.is_dir()) {
        let Some(name) = path.file_name() else { continue };
        let place = places.data_dir.join(name);
        let there = if of_changes(&path) { Vec::new() } else { vec![place.clone()] };
        to(&format!("data/{}", name.to_string_lossy()), place, there);
    }
    if manifest.has(Part::Mail) {
        to("mail", places.mail.clone(), vec![places.mail.clone()]);
    }
    Ok(moves)
}

/// A file, or a folder that is not empty.
fn is_filled(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => disk::is_there(path),
    }
}

/// Whether both are there and not the same.
fn differs(one: &Path, other: &Path) -> bool {
    disk::is_there(other) && fs::read(one).is_ok_and(|one| !fs::read(other).is_ok_and(|other| one == other))
}

fn put_aside(data_dir: &Path, occupied: &[PathBuf]) -> Result<PathBuf, BackupError> {
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let mut aside = data_dir.join(format!("before-restore-{stamp}"));
    for number in 2.. {
        if !disk::is_there(&aside) {
            break;
        }
        aside = data_dir.join(format!("before-restore-{stamp}-{number}"));
    }
    disk::make_dir(&aside)?;
    for path in occupied {
        let name = path.file_name().unwrap_or_default();
        disk::put(path, &aside.join(name))?;
    }
    disk::give_to_owner_of(data_dir, &aside)?;
    Ok(aside)
}

/// Opens the keys of the backup, and sees that the accounts have theirs. The devices that are given up.
fn see_to_the_key(wanted: &Wanted<'_>, staging: &Path) -> Result<Vec<String>, BackupError> {
    let opened = staging.join("opened");
    disk::make_dir(&opened)?;
    let sealed = staging.join("keys/server.key");
    if let Some(passphrase) = wanted.passphrase {
        open_keys(wanted.from, passphrase, staging, &opened)?;
    }
    let ours = opened.join("server.key");
    let place = if disk::is_there(&ours) { &ours } else { &wanted.places.key };
    let database = staging.join("accounts/directory.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(BackupError::at(&database, "opening"))?;
    if disk::is_there(place) {
        let key = ServerKey::load(place, wanted.places.permissions)?;
        if runtime.block_on(backup::is_of(&database, &key))? {
            return Ok(Vec::new());
        }
        if wanted.lost_key == LostKey::Refused {
            let why = "is not the key that the accounts of the backup were sealed with; put the right one there, give \
                       --passphrase-file if the backup has it, or restore with --without-key, which revokes all devices";
            return Err(BackupError::Key(format!("{}: {why}", wanted.places.key.display())));
        }
    } else if wanted.lost_key == LostKey::Refused {
        let way =
            if disk::is_there(&sealed) { "give --passphrase-file to open it" } else { "put your copy of it there" };
        let lack = if disk::is_there(&sealed) { "the backup has it sealed" } else { "the backup has no key" };
        let other = "or restore with --without-key, which revokes all devices";
        return Err(BackupError::Key(format!("{}: missing, and {lack}; {way}, {other}", wanted.places.key.display())));
    }
    if !disk::is_there(place) {
        // The accounts take it when they are opened first.
        ServerKey::load_or_create(&ours)?;
    }
    Ok(runtime.block_on(backup::give_up_secrets(&database))?)
}

fn open_keys(from: &Path, passphrase: &Passphrase, staging: &Path, opened: &Path) -> Result<(), BackupError> {
    for name in ["server.key", "chain.key"] {
        let path = staging.join("keys").join(name);
        let sealed = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            sealed => sealed.map_err(BackupError::at(&path, "reading"))?,
        };
        let key = passphrase.open(name, &sealed).and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
        let why = "this passphrase does not open it".to_owned();
        let key =
            key.ok_or_else(|| BackupError::Damaged { backup: from.to_owned(), file: format!("keys/{name}"), why })?;
        ServerKey::from_bytes(key).save(&opened.join(name), None)?;
    }
    Ok(())
}

fn put_config(wanted: &Wanted<'_>, staging: &Path) -> Result<ConfigPut, BackupError> {
    let (from, to) = (staging.join(CONFIG), wanted.config);
    let text = fs::read(&from).map_err(BackupError::at(&from, "reading"))?;
    let put = match fs::read(to) {
        Ok(there) if there == text => return Ok(ConfigPut::Same),
        Ok(_) => {
            let mut beside = to.as_os_str().to_owned();
            beside.push(".from-backup");
            ConfigPut::Beside(beside.into())
        }
        Err(_) => ConfigPut::Written,
    };
    let path = if let ConfigPut::Beside(path) = &put { path } else { to };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        disk::make_dir(folder)?;
    }
    keep::NewFile { path, octets: &text, mode: 0o600, owner: None }.replace()?;
    disk::give_to_owner_of(&wanted.places.data_dir, path)?;
    Ok(put)
}
