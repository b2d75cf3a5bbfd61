//! The server key is rotated or lost, and the accounts are copied while they are in use.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::{CLIENT, account};
use directory::{AuthOutcome, DeviceLimits, Directory, ServerKey, Settings, backup, rotation};
use keep::secret::Permissions::Owner;

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn database(&self) -> PathBuf {
        self.dir.path().join("directory.sqlite")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("server.key")
    }

    async fn open(&self) -> Directory {
        rotation::settle(&self.database(), &self.key(), Owner).await.unwrap();
        let key = ServerKey::load_or_create_for(&self.database(), &self.key(), Owner).unwrap();
        let settings = Settings { default_domain: "example.test".to_owned(), ..Settings::default() };
        Directory::open(&self.database(), &key, settings).await.unwrap()
    }

    /// An account with a device; its secret.
    async fn filled() -> (Self, String) {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        let directory = files.open().await;
        directory.add_domain("example.test").await.unwrap();
        directory.create_account(account("alice", "correct horse")).await.unwrap();
        let (_, secret) = directory.add_device("alice", "scanner", DeviceLimits::default()).await.unwrap();
        directory.close().await;
        (files, secret.expose().to_owned())
    }

    fn copied(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
        Self { dir }
    }
}

async fn logs_in(directory: &Directory, login: &str, secret: &str) -> bool {
    matches!(directory.authenticate(login, secret.as_bytes(), CLIENT).await, Ok(AuthOutcome::Account(_)))
}

fn key_at(path: &Path) -> [u8; 32] {
    *ServerKey::load(path, Owner).unwrap().expose()
}

#[tokio::test]
async fn every_device_logs_in_after_a_rotation() {
    let (files, secret) = Files::filled().await;
    let first = key_at(&files.key());
    let before = files.open().await.rights_ended_at("alice").await.unwrap();
    for turn in 0..2 {
        let rotated = rotation::rotate(&files.database(), &files.key(), Owner).await.unwrap();
        assert_eq!((rotated.devices, rotated.damaged.len()), (1, 0), "{turn}");
    }
    let now = key_at(&files.key());
    assert_ne!(now, first);
    let directory = files.open().await;
    assert!(logs_in(&directory, "alice-scanner", &secret).await);
    assert!(logs_in(&directory, "alice", "correct horse").await);
    assert_eq!(directory.rights_ended_at("alice").await.unwrap(), before, "no right has ended");
    // What lines were bound with stays.
    let chains = rotation::chain_key(&files.key(), &ServerKey::from_bytes(now), Owner).unwrap();
    assert_eq!(*chains.expose(), first);
    // The old key opens nothing any more.
    let old = ServerKey::from_bytes(first);
    assert!(!backup::is_of(&files.database(), &old).await.unwrap());
}

/// As the points of the module's table leave it.
#[tokio::test]
async fn a_rotation_that_is_broken_off_leaves_what_can_be_read() {
    let (files, secret) = Files::filled().await;
    let (old, beside) = (files.copied(), files.key().with_file_name("server.key.new"));
    // The new key was being written, or was written.
    for octets in [vec![1; 7], vec![9; 32]] {
        fs::write(&beside, octets).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
        let directory = files.open().await;
        assert!(logs_in(&directory, "alice-scanner", &secret).await);
        assert!(!beside.exists());
        directory.close().await;
    }
    // Committed, not renamed.
    rotation::rotate(&files.database(), &files.key(), Owner).await.unwrap();
    fs::rename(files.key(), &beside).unwrap();
    fs::copy(old.key(), files.key()).unwrap();
    let directory = files.open().await;
    assert!(logs_in(&directory, "alice-scanner", &secret).await);
    assert!(!beside.exists() && key_at(&files.key()) != key_at(&old.key()));
}

#[tokio::test]
async fn a_copy_is_whole_and_without_its_key_names_the_devices() {
    let (files, secret) = Files::filled().await;
    let directory = files.open().await;
    directory.create_account(account("bob", "another horse")).await.unwrap();
    let to = Files { dir: tempfile::tempdir().unwrap() };
    backup::copy(&files.database(), &to.database()).await.unwrap();
    assert_eq!(fs::metadata(to.database()).unwrap().permissions().mode() & 0o777, 0o600);
    let key = ServerKey::load(&files.key(), Owner).unwrap();
    assert!(backup::is_of(&to.database(), &key).await.unwrap());
    assert!(!backup::is_of(&to.database(), &ServerKey::from_bytes([3; 32])).await.unwrap());

    assert_eq!(backup::give_up_secrets(&to.database()).await.unwrap(), ["alice-scanner@example.test"]);
    // With a key that is made now.
    fs::write(to.key(), [5; 32]).unwrap();
    fs::set_permissions(to.key(), fs::Permissions::from_mode(0o600)).unwrap();
    let copy = to.open().await;
    assert!(logs_in(&copy, "bob", "another horse").await);
    assert!(!logs_in(&copy, "alice-scanner", &secret).await);
    assert_eq!(copy.devices(None).await.unwrap().iter().filter(|it| it.revoked_at.is_some()).count(), 1);
    // The account's own rights and mail are as they were; the device is made anew under its name.
    let (then, now) = (directory.rights_ended_at("alice").await, copy.rights_ended_at("alice").await);
    assert_eq!(now.unwrap(), then.unwrap());
    let (_, new) = copy.add_device("alice", "scanner", DeviceLimits::default()).await.unwrap();
    assert!(logs_in(&copy, "alice-scanner", new.expose()).await);
}
