//! One case as it is driven: what the guard knows of a connection, its greeting and its transaction, and who is said to have
//! logged in. Every interface drives one.

use std::net::IpAddr;
use std::sync::Arc;

use directory::Why;
use guard::{Claim, Effects, Manner, Manners};
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
    /// Why who proved himself may no more.
    pub(super) ended: Option<Why>,
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
    Told(Told),
}

/// A login that another mail server checked.
#[derive(Debug)]
pub struct Told {
    pub(super) login: Box<str>,
    /// Whom it was when it was told first: if the account is another one later, or its password, it is not believed any more.
    pub(super) first: Option<Box<Proved>>,
}

impl Told {
    /// A login as it is told.
    pub fn new(login: &str) -> Self {
        Self { login: login.into(), first: None }
    }
}

/// What was seen of a login.
pub(super) enum Seen {
    /// He may, and this is what he may do now.
    May(Proved),
    /// He may no more.
    Ended(Why),
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
        Self { guard: guard::Case::new(client, manner), session, listener, login: Login::Nobody, ended: None }
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
        if let (Login::Told(before), Login::Told(now)) = (&self.login, &login)
            && before.login == now.login
        {
            return;
        }
        (self.login, self.ended) = (login, None);
    }

    /// Takes what was seen of the login while a command was judged.
    pub(super) fn saw_login(&mut self, seen: Option<Seen>) {
        match (seen, &mut self.login) {
            (Some(Seen::May(now)), Login::Proved(proved)) => **proved = now,
            (Some(Seen::May(now)), Login::Told(told)) if told.first.is_none() => told.first = Some(Box::new(now)),
            (Some(Seen::Ended(why)), _) => self.ended = Some(why),
            (Some(Seen::May(_)) | None, _) => {}
        }
    }

    /// Who proved himself in this session.
    pub fn proved(&self) -> Option<&Proved> {
        match &self.login {
            Login::Proved(proved) => Some(proved),
            Login::Nobody | Login::Told(_) => None,
        }
    }

    /// Who is said to have logged in.
    pub(super) fn login(&self) -> Option<&str> {
        match &self.login {
            Login::Nobody => None,
            Login::Proved(proved) => Some(&proved.login),
            Login::Told(login) => Some(&login.login),
        }
    }

    /// Whether the login is one that a mail server told of.
    pub fn is_told(&self) -> bool {
        matches!(self.login, Login::Told(_))
    }

    /// Why who proved himself in this session may no more; found out by the last command that was judged.
    pub fn login_ended(&self) -> Option<Why> {
        self.ended
    }

    /// TLS is up: nothing said before counts (RFC 3207 §4.2).
    pub fn secured(&mut self) {
        self.guard.secured();
        (self.login, self.ended) = (Login::Nobody, None);
    }

    /// The interface's configuration may have changed since.
    pub fn set_manner(&mut self, manner: Manner) {
        self.guard.set_manner(manner);
    }

    /// Whoever drives the case saw something of its client, or of the load under which it is served.
    pub fn noted(&mut self, manners: Manners) {
        self.guard.noted(manners);
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

    /// The domain of the reverse-path; `None`: it is null, or has an address literal.
    pub fn sender_domain(&self) -> Option<&str> {
        self.reverse_path()?.mailbox()?.host.domain().map(smtp::Domain::as_str)
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
