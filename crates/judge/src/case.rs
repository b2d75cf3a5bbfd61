//! One case as it is driven: what the guard knows of a connection, its greeting and its transaction, and who is said to have
//! logged in. Every interface drives one.

use std::net::IpAddr;
use std::sync::Arc;

use guard::{Claim, Effects, Manner};
use smtp::ReversePath;

use super::auth::Proved;
use super::session::SessionId;

/// A connection with everything that is known of it.
#[derive(Debug)]
pub struct Case {
    pub(super) guard: guard::Case,
    pub(super) session: SessionId,
    pub(super) listener: Arc<str>,
    pub(super) login: Login,
}

/// Who is said to have logged in. Whether he still may is asked at each command.
#[derive(Debug, Default)]
pub enum Login {
    /// Nobody.
    #[default]
    Nobody,
    /// Somebody proved himself in this very session.
    Proved(Box<Proved>),
    /// Another mail server says that it checked this login.
    Told(Box<str>),
}

/// Who is connected, and where.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The client; `None`: nobody knows its address.
    pub client: Option<IpAddr>,
    /// The session's id in the log.
    pub session: SessionId,
    /// The listener's name.
    pub listener: Arc<str>,
}

impl Case {
    /// A connection that has begun.
    pub fn new(connected: Connected, manner: Manner) -> Self {
        let Connected { client, session, listener } = connected;
        Self { guard: guard::Case::new(client, manner), session, listener, login: Login::Nobody }
    }

    /// The client's address, never IPv4-mapped.
    pub fn client(&self) -> Option<IpAddr> {
        self.guard.client()
    }

    /// The client introduces itself; a transaction ends.
    pub fn greeted(&mut self, helo: Option<String>) {
        self.guard.greeted(helo);
    }

    /// Somebody logged in, or nobody is logged in any more.
    pub fn set_login(&mut self, login: Login) {
        self.guard.set_login(if matches!(login, Login::Nobody) { Claim::Nobody } else { Claim::LoggedIn });
        self.login = login;
    }

    /// Who proved himself in this session.
    pub fn proved(&self) -> Option<&Proved> {
        match &self.login {
            Login::Proved(proved) => Some(proved),
            Login::Nobody | Login::Told(_) => None,
        }
    }

    /// TLS is up: nothing said before counts (RFC 3207 §4.2).
    pub fn secured(&mut self) {
        self.guard.secured();
        self.login = Login::Nobody;
    }

    /// The interface's configuration may have changed since.
    pub fn set_manner(&mut self, manner: Manner) {
        self.guard.set_manner(manner);
    }

    /// A transaction begins; whether it may, the judge says. `declared_octets`: `SIZE=`.
    pub fn begin(&mut self, reverse_path: ReversePath, declared_octets: Option<u64>) {
        self.guard.begin(reverse_path, declared_octets);
    }

    /// The transaction is over, by its end or by RSET.
    pub fn end_transaction(&mut self) {
        self.guard.end_transaction();
    }

    /// The reverse-path of the transaction that is open.
    pub fn reverse_path(&self) -> Option<&ReversePath> {
        self.guard.reverse_path()
    }

    /// What rules want done with the message, of all recipients that were taken.
    pub fn effects(&self) -> Option<&Effects> {
        self.guard.effects()
    }

    /// Whether something was charged in this transaction: judging a recipient again would charge it twice.
    pub fn is_charged(&self) -> bool {
        self.guard.is_charged()
    }
}
