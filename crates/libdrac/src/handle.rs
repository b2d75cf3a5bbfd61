//! The connections that `dracconn` and `dracconn6` open, `dracsend…` uses and `dracdisc…` closes: one of each in a process.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drac::Version;
use drac::client::{Connection, Target, WITHIN};

use crate::outcome::Outcome;

pub(crate) struct Handle {
    version: Version,
    connection: Mutex<Option<Connection>>,
}

impl Handle {
    pub(crate) const fn new(version: Version) -> Self {
        Self { version, connection: Mutex::new(None) }
    }

    /// Opens it, in place of one that is open.
    pub(crate) fn connect(&self, server: &Target) -> Outcome {
        let opened = Connection::open(server, self.version, WITHIN);
        let mut connection = self.lock();
        match opened {
            Ok(opened) => {
                *connection = Some(opened);
                Outcome::connected()
            }
            Err(error) => {
                *connection = None;
                error.into()
            }
        }
    }

    pub(crate) fn send(&self, user: IpAddr) -> Outcome {
        match self.lock().as_ref() {
            Some(connection) => connection.add(user, WITHIN).into(),
            None => Outcome::not_connected(),
        }
    }

    pub(crate) fn disconnect(&self) -> Outcome {
        match self.lock().take() {
            Some(_) => Outcome::disconnected(),
            None => Outcome::not_connected(),
        }
    }

    /// What a panic left is a connection or none; both can be used.
    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
