//! What mails and failures are counted against, and what comes of it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use guard::Subject;
use tokio::sync::watch;

use crate::gcra::Rate;
use crate::offence::Offence;

/// One thing to be counted.
#[derive(Debug, Clone, Copy)]
pub enum Charge<'a> {
    /// Against the quota of a POP login.
    Pop(PopCharge<'a>),
    /// Against a rate.
    Rate(RateCharge<'a>),
}

/// How much is counted against the quota of a POP login: of an account, or a server, at an address.
#[derive(Debug, Clone, Copy)]
pub struct PopCharge<'a> {
    /// The evidence's key.
    pub addr: IpAddr,
    /// The evidence's account or server.
    pub subject: &'a Subject,
    /// Messages: 1 for the first recipient of a transaction, then 0.
    pub messages: u32,
    /// Recipients.
    pub recipients: u32,
    /// How much it may send.
    pub limits: PopLimits,
}

/// The longest window of a quota: one that ends later was written by a clock that was ahead.
pub const QUOTA_WINDOW_MAX: Duration = Duration::from_hours(1);

/// How much an account may send from an address by its POP logins. The window begins with the first charge and does
/// not begin anew when the login is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PopLimits {
    /// Messages in a window.
    pub messages: u32,
    /// Recipients in a window.
    pub recipients: u32,
    /// Its length, at most [`QUOTA_WINDOW_MAX`].
    pub window: Duration,
}

/// How much is counted against a rate.
#[derive(Debug, Clone, Copy)]
pub struct RateCharge<'a> {
    /// Whose.
    pub key: RateKey<'a>,
    /// How much it may be. The key remembers none: a limit that was changed counts at once.
    pub rate: Rate,
    /// How many.
    pub cost: u32,
}

/// For whom or what a rate is counted. Each kind has a table of its own, so that a flood of one hides no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKey<'a> {
    /// Messages of a device, by its login.
    Device(&'a str),
    /// Failed logins from a subscriber: an IPv4 address, or the first address of an IPv6 /64.
    LoginsFrom(IpAddr),
    /// Failed logins at an account, from wherever its owner has not logged in lately.
    LoginsAt(&'a str),
    /// Failed logins at an account from a network where its owner has logged in lately.
    OwnersLogins {
        /// The account.
        login: &'a str,
        /// The network's first address.
        network: IpAddr,
    },
    /// Recipients that nobody is, tried by a subscriber.
    UnknownFrom(IpAddr),
    /// The same by a login.
    UnknownByLogin(&'a str),
    /// The same by a network, by its first address.
    UnknownFromNetwork(IpAddr),
    /// The same for a sender's domain.
    UnknownForDomain(&'a str),
    /// That it was told of a subscriber that it tries too many.
    UnknownTold(IpAddr),
    /// Strangers' messages that an alias sends outside.
    ForwardsOf(&'a str),
    /// Messages that aliases send outside for a subscriber.
    ForwardsFrom(IpAddr),
    /// What a subscriber did that an honest client seldom does.
    Offences {
        /// What.
        offence: Offence,
        /// An IPv4 address, or the first of an IPv6 /64.
        addr: IpAddr,
    },
}

impl RateKey<'_> {
    /// How many kinds there are.
    pub(crate) const KINDS: usize = 12;

    /// The kind's number, from 0.
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::Device(_) => 0,
            Self::LoginsFrom(_) => 1,
            Self::LoginsAt(_) => 2,
            Self::OwnersLogins { .. } => 3,
            Self::UnknownFrom(_) => 4,
            Self::UnknownByLogin(_) => 5,
            Self::UnknownFromNetwork(_) => 6,
            Self::UnknownForDomain(_) => 7,
            Self::UnknownTold(_) => 8,
            Self::ForwardsOf(_) => 9,
            Self::ForwardsFrom(_) => 10,
            Self::Offences { .. } => 11,
        }
    }
}

/// Why nothing was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom {
    /// The place in the list that was given, of the first charge that found no room.
    pub charge: usize,
    /// Why it found none.
    pub cause: Cause,
}

/// Why a charge found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The limit is used up.
    Exceeded {
        /// When there is room, if all that is reserved now is committed; in a hundred years if there never will be.
        until: SystemTime,
    },
    /// There is no live evidence (any more) whose quota could be charged.
    NoEvidence,
}

/// What has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    /// A guess, by a keyed hash: the same one again is not counted.
    Guess([u8; 16]),
    /// Something else; each is counted.
    Abuse,
}

/// What one login attempt must have before it may be looked at.
#[derive(Debug)]
pub(crate) struct AttemptCharges<'a> {
    /// A place in each, or in none. Of different kinds, in the order of their numbers.
    pub(crate) asked: Vec<RateCharge<'a>>,
    /// Where it counts if it fails, though it needs no place there.
    pub(crate) beside: Option<RateCharge<'a>>,
    /// As what it counts then.
    pub(crate) failure: Failure,
}

/// Why an attempt has no place.
#[derive(Debug)]
pub(crate) enum Full {
    /// So many have failed; there is room for one more after so long.
    Used(Duration),
    /// Others are being looked at. It rings when one of them is done.
    Held(watch::Receiver<()>),
}

/// Whether a failure counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A guess not seen lately.
    New,
    /// The same wrong password again.
    Repeated,
}

/// How much is counted of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// How many, rounded up.
    pub(crate) counted: u32,
    /// After how long there is room for one more; `None`: there is now.
    pub(crate) retry_after: Option<Duration>,
}
