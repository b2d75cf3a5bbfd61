//! A login that failed, as it is told: in the log, and as a record of the same id. Never the password.

use std::fmt::Display;
use std::time::SystemTime;

use guard::ExplainId;
use guard::record::{LOGIN, LOGIN_FAILED, LOGIN_THROTTLED, Origin, Refused, TurnedAway};
use tracing::info;

use super::denial::{Denial, shown};
use super::offence::Client;
use super::records::Records;

/// How a login was tried that was not looked at, in the log.
pub(super) const THROTTLED: &str = "throttled";

/// A login that was tried.
pub(super) struct Tried<'a> {
    pub(super) login: &'a str,
    /// What tells it from other guesses.
    pub(super) guess: &'a [u8],
    /// How it was tried.
    pub(super) way: &'a str,
}

/// A login that failed.
pub(super) struct Failed<'a> {
    /// How it was tried, or [`THROTTLED`].
    pub(super) way: &'a str,
    /// As the log may show it.
    pub(super) login: &'a str,
    pub(super) why: &'a dyn Display,
}

impl<'a> Failed<'a> {
    pub(super) fn of(tried: &Tried<'a>, why: &'a Denial) -> Self {
        let login = if why.is_of_known_login() { tried.login } else { shown(tried.login) };
        Self { way: tried.way, login, why }
    }
}

impl Failed<'_> {
    /// Tells of it. Of a flood of them most are only logged, without an id.
    pub(super) fn tell(&self, records: &Records, at: &Client<'_>) -> Option<ExplainId> {
        let Self { way, login, why } = *self;
        let Client { session, listener, addr } = *at;
        let client = (!addr.is_unspecified()).then_some(addr);
        let id = records.id_for(client);
        let explain = id.map(tracing::field::display);
        info!(session = %session, listener, client = %addr, login = ?login, way, %why, explain, "login failed");
        let of = Origin { session: session.to_string(), listener: listener.into() };
        let is_throttled = way == THROTTLED;
        let (reason, cause) =
            if is_throttled { (LOGIN_THROTTLED, why.to_string()) } else { (LOGIN_FAILED, format!("{way}: {why}")) };
        let away = TurnedAway {
            at: SystemTime::now(),
            stage: LOGIN,
            client,
            login: Some(login.to_owned()),
            reverse_path: None,
            forward_path: None,
            refused: Refused::because(reason, cause),
            is_temporary: is_throttled,
            reply: None,
        };
        records.turned_away(id?, of, away);
        id
    }
}
