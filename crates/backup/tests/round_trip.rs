//! A server's files as a backup and back: as a folder and as a file, damaged, without its key, over what is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup::BackupError;
use backup::extra::Extra;
use backup::manifest::{Manifest, Part};
use backup::passphrase::Passphrase;
use backup::picture::{Picture, WithMail};
use backup::pipe::{Inlet, pipe};
use backup::places::Places;
use backup::restore::{ConfigPut, Existing, LostKey, Restored, Wanted, refuse_unfinished, restore};
use backup::stage;
use backup::store::{Destination, Older, keep};
use directory::{DeviceLimits, Directory, NewAccount, ServerKey, Settings};
use keep::secret::Permissions::Owner;
use spool::{Envelope, Filter, Origin, RESTORED, Recipient, Spool, SpoolConfig, Target};

const CONFIG: &str = "hostname = \"mail.example.test\"\n";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// A server's files, whose queue is open.
struct Server {
    dir: tempfile::TempDir,
    places: Places,
    runtime: tokio::runtime::Runtime,
    spool: Arc<Spool>,
}

fn envelope(to: &str) -> Envelope {
    let target = Target::Maildir { account: to.to_owned() };
    let recipient = Recipient { forward_path: to.to_owned(), target, notify: 0, orcpt: None, via: None };
    Envelope {
        reverse_path: "a@example.test".to_owned(),
        recipients: vec![recipient],
        origin: Origin::Outside,
        arrived_at_unix_micros: 1_800_000_000_000_000,
        session: "s".to_owned(),
        smtputf8: false,
        eight_bit: true,
        envid: None,
        ret: None,
        message_octets: 0,
    }
}

impl Server {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::below(dir.path());
        let runtime = runtime();
        let spool = runtime.block_on(async {
            let key = ServerKey::load_or_create(&places.key).unwrap();
            let directory = Directory::open(&places.accounts, &key, Settings::default()).await.unwrap();
            directory.add_domain("example.test").await.unwrap();
            let alice = NewAccount { login: "alice@example.test".to_owned(), ..NewAccount::default() };
            directory.create_account(alice).await.unwrap();
            directory.add_device("alice@example.test", "scanner", DeviceLimits::default()).await.unwrap();
            // What is not in the file yet, but in its write-ahead log.
            std::mem::forget(directory);
            state::State::open(&places.state).unwrap().close();
            let spool = Spool::open(SpoolConfig { free_octets_min: 0, ..SpoolConfig::new(&places.queue) }).unwrap().0;
            for n in 0..3 {
                let octets = vec![b'x'; if n == 2 { 200_000 } else { 100 }];
                spool.incoming().commit(envelope("alice@example.test"), octets).await.unwrap();
            }
            spool
        });
        fs::write(places.data_dir.join("audit.jsonl"), "{}\n").unwrap();
        fs::create_dir(places.data_dir.join("record")).unwrap();
        fs::write(places.data_dir.join("record/relay.jsonl.1"), "{\"a\":1}\n").unwrap();
        let maildir = places.mail.join("example.test/alice");
        for sub in ["new", "cur", "tmp"] {
            fs::create_dir_all(maildir.join(sub)).unwrap();
        }
        fs::write(maildir.join("cur/1.a,S=5:2,S"), "mail\n").unwrap();
        fs::write(maildir.join("tmp/unfinished"), "ma").unwrap();
        fs::write(maildir.join("dovecot-uidlist"), "3 V1 N2\n1 :1.a,S=5\n").unwrap();
        Self { dir, places, runtime, spool }
    }

    fn backup(&self, to: &Path, mail: WithMail, keys: Vec<(String, Vec<u8>)>) -> Result<Manifest, BackupError> {
        let (outlet, receiver) = pipe(|| false);
        let picture = Picture { places: &self.places, spool: &self.spool, hostname: "mail.example.test", mail };
        let extra = Extra { config: ("/etc/sekisho/sekisho.toml".into(), CONFIG.into()), keys, ..Extra::default() };
        std::thread::scope(|scope| {
            scope.spawn(|| picture.send(outlet));
            keep(Inlet::new(receiver), Destination { path: to, older: Older::Kept }, &extra, |_| {})
        })
    }

    fn secrets(&self) -> (Passphrase, Vec<(String, Vec<u8>)>) {
        let path = self.dir.path().join("passphrase");
        fs::write(&path, "correct horse battery\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let passphrase = Passphrase::read(&path).unwrap();
        let key = fs::read(&self.places.key).unwrap();
        let sealed = passphrase.sealed_key("server.key", &key).unwrap();
        (passphrase, vec![("server.key".to_owned(), sealed)])
    }
}

fn wanted<'a>(from: &'a Path, places: &'a Places, config: &'a Path) -> Wanted<'a> {
    let (lost_key, existing) = (LostKey::Refused, Existing::Refused);
    Wanted { from, places, config, passphrase: None, lost_key, existing }
}

/// What lies below a folder, by name and content.
fn tree(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push((path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

fn seen_to_be_whole(restored: &Restored, places: &Places, server: &Server) {
    assert!(restored.manifest.has(Part::Queue) && restored.manifest.messages == 3);
    server.runtime.block_on(async {
        let (spool, recovery) =
            Spool::open(SpoolConfig { free_octets_min: 0, ..SpoolConfig::new(&places.queue) }).unwrap();
        assert_eq!((recovery.messages, recovery.damaged.len(), recovery.orphans), (3, 0, 0));
        let listed = spool.list(&Filter { limit: 10, ..Filter::default() }).await;
        assert!(listed.iter().all(|it| it.hold.as_deref() == Some(RESTORED)));
        assert!(spool.try_next(u64::MAX / 2).await.is_none());
        let key = ServerKey::load(&places.key, Owner).unwrap();
        let directory = Directory::open(&places.accounts, &key, Settings::default()).await.unwrap();
        assert!(directory.account("alice@example.test").await.is_ok());
        directory.close().await;
        state::State::open(&places.state).unwrap().close();
    });
    assert_eq!(fs::read(places.data_dir.join("audit.jsonl")).unwrap(), b"{}\n");
    assert_eq!(fs::read(places.data_dir.join("record/relay.jsonl.1")).unwrap(), b"{\"a\":1}\n");
    refuse_unfinished(&places.data_dir).unwrap();
}

#[test]
fn a_backup_comes_back_from_a_folder_and_from_a_file() {
    let server = Server::new();
    let (passphrase, keys) = server.secrets();
    for name in ["backup", "backup.tar", "backup.tar.gz"] {
        let place = tempfile::tempdir().unwrap();
        let to = place.path().join(name);
        let manifest = server.backup(&to, WithMail::Yes, keys.clone()).unwrap();
        let mode = fs::metadata(&to).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if to.is_dir() { 0o700 } else { 0o600 }, "{name}");
        assert_eq!(stage::config(&to).unwrap(), CONFIG);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing beside {name}");
        assert!(matches!(server.backup(&to, WithMail::No, Vec::new()), Err(BackupError::Exists(_))));

        let data = place.path().join("data");
        let (places, config) = (Places::below(&data), data.join("sekisho.toml"));
        let without = restore(&wanted(&to, &places, &config), |_| {}).unwrap_err();
        assert!(without.to_string().contains("--passphrase-file"), "{without}");
        let with = Wanted { passphrase: Some(&passphrase), ..wanted(&to, &places, &config) };
        let restored = restore(&with, |_| {}).unwrap();
        assert_eq!((restored.manifest.clone(), restored.config.clone()), (manifest, ConfigPut::Written));
        seen_to_be_whole(&restored, &places, &server);
        let mail = tree(&places.mail);
        let names: Vec<&str> = mail.iter().map(|(path, _)| path.to_str().unwrap()).collect();
        assert_eq!(names, ["example.test/alice/cur/1.a,S=5:2,S", "example.test/alice/dovecot-uidlist"]);
        let old = server.places.mail.join("example.test/alice/cur/1.a,S=5:2,S");
        let new = places.mail.join("example.test/alice/cur/1.a,S=5:2,S");
        let secs = |path: &Path| fs::metadata(path).unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH);
        assert_eq!(secs(&old).unwrap().as_secs(), secs(&new).unwrap().as_secs());
        assert!(
            places.mail.join("example.test/alice/tmp").is_dir() && places.mail.join("example.test/alice/new").is_dir()
        );

        // Over what is there only if that is asked for, and then it is put aside.
        let again = restore(&with, |_| {}).unwrap_err();
        assert!(matches!(again, BackupError::Occupied(_)), "{again}");
        let over = restore(&Wanted { existing: Existing::PutAside, ..with }, |_| {}).unwrap();
        assert_eq!(over.config, ConfigPut::Same);
        assert!(over.aside.as_ref().unwrap().join("directory.sqlite").is_file());
        seen_to_be_whole(&over, &places, &server);
    }
}

#[test]
fn without_the_key_the_devices_are_named_and_with_another_nothing_is_done() {
    let server = Server::new();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backup.tar.gz");
    server.backup(&to, WithMail::No, Vec::new()).unwrap();
    let data = place.path().join("data");
    let (places, config) = (Places::below(&data), data.join("sekisho.toml"));
    let refused = restore(&wanted(&to, &places, &config), |_| {}).unwrap_err();
    assert!(refused.to_string().contains("the backup has no key"), "{refused}");
    ServerKey::from_bytes([1; 32]).save(&places.key, None).unwrap();
    let refused = restore(&wanted(&to, &places, &config), |_| {}).unwrap_err();
    assert!(refused.to_string().contains("is not the key"), "{refused}");
    assert!(!places.accounts.exists() && !config.exists());
    let without = Wanted { lost_key: LostKey::DevicesRevoked, ..wanted(&to, &places, &config) };
    let restored = restore(&without, |_| {}).unwrap();
    assert_eq!(restored.revoked, ["alice-scanner@example.test"]);
    seen_to_be_whole(&restored, &places, &server);

    // Where there is no key at all, one is made.
    let data = place.path().join("third");
    let (places, config) = (Places::below(&data), data.join("sekisho.toml"));
    let without = Wanted { lost_key: LostKey::DevicesRevoked, ..wanted(&to, &places, &config) };
    let restored = restore(&without, |_| {}).unwrap();
    assert_eq!(restored.revoked.len(), 1);
    seen_to_be_whole(&restored, &places, &server);

    // A copy of the key that was kept elsewhere will do.
    let data = place.path().join("other");
    let (places, config) = (Places::below(&data), data.join("sekisho.toml"));
    fs::create_dir(&data).unwrap();
    fs::copy(&server.places.key, &places.key).unwrap();
    fs::set_permissions(&places.key, fs::Permissions::from_mode(0o600)).unwrap();
    let restored = restore(&wanted(&to, &places, &config), |_| {}).unwrap();
    assert!(restored.revoked.is_empty());
    seen_to_be_whole(&restored, &places, &server);
}

/// What is no backup is left alone, whatever it is called.
#[test]
fn nothing_of_others_is_removed() {
    let server = Server::new();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backup");
    for name in ["backup.partial", "backup"] {
        let theirs = place.path().join(name);
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("precious"), "").unwrap();
        assert!(matches!(server.backup(&to, WithMail::No, Vec::new()), Err(BackupError::Foreign(_))), "{name}");
        assert!(theirs.join("precious").exists());
        fs::remove_dir_all(theirs).unwrap();
    }
    fs::create_dir(place.path().join("backup.partial")).unwrap();
    server.backup(&to, WithMail::No, Vec::new()).unwrap();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

/// Whatever is changed in a backup is found before anything is touched, and named.
#[test]
fn a_damaged_backup_is_refused_and_the_file_named() {
    let server = Server::new();
    let (passphrase, keys) = server.secrets();
    let place = tempfile::tempdir().unwrap();
    let (folder, file) = (place.path().join("backup"), place.path().join("backup.tar"));
    let manifest = server.backup(&folder, WithMail::Yes, keys.clone()).unwrap();
    server.backup(&file, WithMail::Yes, keys).unwrap();
    let data = place.path().join("data");
    let (places, config) = (Places::below(&data), data.join("sekisho.toml"));
    let refused = |from: &Path, part: &str| {
        let with = Wanted { passphrase: Some(&passphrase), ..wanted(from, &places, &config) };
        let error = restore(&with, |_| {}).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert!(!places.accounts.exists() && !config.exists() && !data.join("restore.staging").exists());
    };
    for item in manifest.files.iter().filter(|item| item.octets > 0) {
        let path = folder.join(&item.name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        for bad in [bad, good[..good.len() - 1].to_vec()] {
            fs::write(&path, bad).unwrap();
            refused(&folder, &item.name);
        }
        fs::remove_file(&path).unwrap();
        refused(&folder, &item.name);
        fs::write(&path, good).unwrap();
    }
    // Of a file: cut anywhere, or an octet changed in the content of each.
    let good = fs::read(&file).unwrap();
    for cut in [0, 100, 600, good.len() / 2, good.len() - 2_000] {
        fs::write(&file, &good[..cut]).unwrap();
        refused(&file, "backup.tar");
    }
    for at in (512..good.len() - 4_096).step_by(good.len() / 12) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, bad).unwrap();
        let with = Wanted { passphrase: Some(&passphrase), ..wanted(&file, &places, &config) };
        match restore(&with, |_| {}) {
            Err(BackupError::Damaged { .. }) => {}
            // Padding, or what a header says of an owner: nothing of it is restored.
            Ok(restored) => {
                seen_to_be_whole(&restored, &places, &server);
                fs::remove_dir_all(&data).unwrap();
            }
            Err(other) => panic!("at {at}: {other}"),
        }
    }
}

/// A name that leads out of its folder is refused, wherever it stands.
#[test]
fn nothing_is_written_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let (places, config) = (Places::below(&data), data.join("sekisho.toml"));
    let from = place.path().join("evil.tar");
    for name in ["../escaped", "/tmp/escaped", "queue/../../escaped"] {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(1);
        header.set_mode(0o600);
        header.set_cksum();
        let mut archive = tar::Builder::new(fs::File::create(&from).unwrap());
        archive.append(&header, &b"x"[..]).unwrap();
        archive.into_inner().unwrap().flush().unwrap();
        assert!(
            matches!(restore(&wanted(&from, &places, &config), |_| {}), Err(BackupError::Damaged { .. })),
            "{name}"
        );
        assert!(!place.path().join("escaped").exists() && !Path::new("/tmp/escaped").exists());
    }
    // And while a restore is not at its end no server starts.
    fs::write(data.join("restore.unfinished"), "").unwrap();
    assert!(refuse_unfinished(&data).unwrap_err().to_string().contains("broken off"));
}
