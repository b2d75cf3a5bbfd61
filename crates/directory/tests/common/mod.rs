//! A directory in a folder of its own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use directory::{Directory, NewAccount, NewPassword, ServerKey, Settings};
use tempfile::TempDir;

pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("directory.sqlite")
    }

    pub(crate) async fn open(&self) -> Directory {
        let settings = Settings { default_domain: "example.test".to_owned(), ..Settings::default() };
        Directory::open(&self.path(), &key(), settings).await.unwrap()
    }
}

pub(crate) fn key() -> ServerKey {
    ServerKey::from_bytes([7; 32])
}

pub(crate) fn account(login: &str, password: &str) -> NewAccount {
    NewAccount { login: login.to_owned(), password: NewPassword::Clear(password.into()), ..NewAccount::default() }
}

pub(crate) fn hollow(login: &str) -> NewAccount {
    NewAccount { login: login.to_owned(), ..NewAccount::default() }
}

/// A directory with the domain `example.test`.
pub(crate) async fn one_domain() -> (Place, Directory) {
    let place = Place::new();
    let directory = place.open().await;
    directory.add_domain("example.test").await.unwrap();
    (place, directory)
}
