//! One case: a connection, how its client introduced itself, and the transaction that is open. Each value lies in the one that
//! outlives it, so that what ends takes with it what depended on it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smtp::address::ReversePath;

use crate::attested::ConfirmedName;
use crate::effects::Effects;
use crate::fact::Fact;
use crate::facts::{CLIENT_NAME, DOMAIN_LISTINGS, Facts, Key, LISTINGS, Of, PTR_NAMES, SPF};
use crate::hearing::Counted;
use crate::ip::canonical_ip;
use crate::reason::Reason;
use crate::reputation::{Listing, SpfResult};
use crate::serial;
use crate::standing::PtrName;

/// A connection, as every interface drives it. Another client (XCLIENT) is another case.
#[derive(Debug)]
pub struct Case {
    /// Never IPv4-mapped; `None`: nobody knows it, so it gives no right.
    pub(crate) client: Option<IpAddr>,
    pub(crate) manner: Manner,
    pub(crate) conduct: Conduct,
    /// Others seem to come by its address: what it may by that alone, it may not.
    pub(crate) is_distrusted: bool,
    /// Relaying is locked down: no right but SMTP AUTH counts.
    pub(crate) is_locked: bool,
    pub(crate) facts: Facts,
    pub(crate) greeting: Greeting,
}

/// How the client introduced itself, and whether it logged in. TLS begins a new one.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    pub(crate) helo: Option<String>,
    /// Somebody is said to have logged in; who, and whether he still may, is a fact of each command.
    pub(crate) claims_login: bool,
    pub(crate) transaction: Option<Transaction>,
}

/// A mail transaction, from MAIL on (RFC 5321 §3.3).
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) reverse_path: ReversePath,
    /// `SIZE=` in octets (RFC 1870).
    pub(crate) declared_octets: Option<u64>,
    pub(crate) facts: Facts,
    /// Facts of earlier commands whose stamps may show them to be still true.
    pub(crate) older: Facts,
    pub(crate) counted: Counted,
    /// What rules want done with the message, of all recipients that were taken.
    pub(crate) effects: Effects,
    /// Seconds for which its replies were held back.
    pub(crate) slowed_secs: u32,
}

/// What can be seen of a client's manners, without any look-up. What nobody noted weighs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// It sent commands ahead before it was told that it may (RFC 2920 §3.1).
    Pipelined,
    /// It uses TLS.
    Tls,
    /// It uses none.
    PlainText,
    /// So much of what the server takes is in use; the last one counts.
    Load {
        /// Of the ceiling, 0 to 100.
        percent: u8,
    },
}

/// What was noted of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conduct {
    /// It sent commands ahead before it was told that it may.
    #[serde(skip_serializing_if = "serial::is_false")]
    pub pipelined: bool,
    /// It is known that there is no TLS.
    #[serde(skip_serializing_if = "serial::is_false")]
    pub plain_text: bool,
    /// How much of what the server takes was in use, 0 to 100.
    pub load_percent: u8,
}

/// In what the interfaces differ, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manner {
    /// When rules are asked.
    pub rules: RulesFrom,
    /// Whether MAIL was judged before RCPT.
    pub mail: MailJudged,
    /// How far a recipient is judged.
    pub depth: Depth,
    /// Who delivers to our mailboxes.
    pub mailboxes: Mailboxes,
}

/// When rules are asked for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulesFrom {
    /// As soon as there is something to ask about.
    Connect,
    /// With the first recipient: who logs in until then is not judged by his address.
    Rcpt,
}

/// Whether MAIL was judged before RCPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailJudged {
    /// It was: no RCPT without it.
    Before,
    /// It may not have been, so RCPT asks again whose the reverse-path is.
    Perhaps,
}

/// How far a recipient is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Only what rules say.
    Rules,
    /// Also whether it is one of ours; who may relay, the mail server says itself.
    Hosting,
    /// Also by what right, which is charged. That there is none is not said, whatever the cause: the mail server may have
    /// the recipient, and asks again if it does not.
    Granting,
    /// The same, but the mail server may not ask again: what binds a client that has a right (its limits), and what could not
    /// be found out, is said.
    Offering,
    /// Also by what right, which is charged. Without one it is refused.
    Relaying,
}

impl Depth {
    /// Whether it is left to the mail server what becomes of a recipient that is not ours and has no right for this reason.
    pub(crate) fn leaves(self, reason: Reason) -> bool {
        match self {
            Self::Rules | Self::Hosting => reason.is_of_relaying(),
            Self::Granting => {
                let binds =
                    matches!(reason, Reason::RecipientOutOfScope | Reason::AuthorityUnavailable | Reason::RelayLocked);
                binds || reason.is_of_relaying()
            }
            Self::Offering => reason.is_of_relaying() && !reason.is_temporary(),
            Self::Relaying => false,
        }
    }
}

/// Who delivers to our mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mailboxes {
    /// We do: they must have room.
    Ours,
    /// The mail server that asks.
    Elsewhere,
}

impl Manner {
    /// Our own SMTP server.
    pub const OWN: Self =
        Self { rules: RulesFrom::Rcpt, mail: MailJudged::Before, depth: Depth::Relaying, mailboxes: Mailboxes::Ours };

    /// Another mail server asks about its client, with as much said about relaying.
    pub const fn asked_by_mail_server(depth: Depth) -> Self {
        Self { rules: RulesFrom::Connect, mail: MailJudged::Perhaps, depth, mailboxes: Mailboxes::Elsewhere }
    }
}

impl Case {
    /// A connection that has begun.
    pub fn new(client: Option<IpAddr>, manner: Manner) -> Self {
        let client = client.filter(|ip| !ip.is_unspecified()).map(canonical_ip);
        Self {
            client,
            manner,
            conduct: Conduct::default(),
            is_distrusted: false,
            is_locked: false,
            facts: Facts::default(),
            greeting: Greeting::default(),
        }
    }

    /// The client's address.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Whether another mail server asks, which delivers itself.
    pub fn is_asked_by_mail_server(&self) -> bool {
        self.manner.mailboxes == Mailboxes::Elsewhere
    }

    /// The configuration of the interface may have changed since.
    pub fn set_manner(&mut self, manner: Manner) {
        self.manner = manner;
    }

    /// The client's forward-confirmed name, if it was asked for and there is one.
    pub fn client_name(&self) -> Option<&ConfirmedName> {
        match self.facts.read(&CLIENT_NAME, Of::Case)?.fact {
            Fact::Known(name) => name.as_ref(),
            Fact::Unknown(_) => None,
        }
    }

    /// What DNS calls the client's address, if it was asked and found out.
    pub fn ptr_name(&self) -> Option<&PtrName> {
        known(&self.facts, &PTR_NAMES)
    }

    /// The lists that have the client or a domain of the open transaction, as far as they were asked.
    pub fn listings(&self) -> impl Iterator<Item = &Listing> {
        let client = known(&self.facts, &LISTINGS);
        let domain = self.greeting.transaction.as_ref().and_then(|open| known(&open.facts, &DOMAIN_LISTINGS));
        client.into_iter().chain(domain).flatten()
    }

    /// What SPF says of the open transaction, if it was asked.
    pub fn spf(&self) -> Option<SpfResult> {
        known(&self.greeting.transaction.as_ref()?.facts, &SPF).copied()
    }

    /// What the client calls itself.
    pub fn helo(&self) -> Option<&str> {
        self.greeting.helo.as_deref()
    }

    /// The client introduces itself; a transaction ends.
    pub fn greeted(&mut self, helo: Option<String>) {
        self.greeting.helo = helo;
        self.greeting.transaction = None;
    }

    /// Somebody logged in, or the login is over.
    pub fn set_login(&mut self, login: Claim) {
        self.greeting.claims_login = login == Claim::LoggedIn;
    }

    /// TLS is up: nothing said before counts (RFC 3207 §4.2). What is known of the connection stays.
    pub fn secured(&mut self) {
        self.greeting = Greeting::default();
        self.noted(Manners::Tls);
    }

    /// Whoever drives the case saw something of its client, or of the load under which it is served.
    pub fn noted(&mut self, manners: Manners) {
        match manners {
            Manners::Pipelined => self.conduct.pipelined = true,
            Manners::Tls => self.conduct.plain_text = false,
            Manners::PlainText => self.conduct.plain_text = true,
            Manners::Load { percent } => self.conduct.load_percent = percent,
        }
    }

    /// Others seem to come by the client's address: no network and no list of clients gives it a right from now on.
    pub fn distrust(&mut self) {
        self.is_distrusted = true;
    }

    /// The client's address is its own, as far as is known.
    pub fn trust(&mut self) {
        self.is_distrusted = false;
    }

    /// Relaying is locked down, or is not: asked anew for each command.
    pub fn set_relaying(&mut self, relaying: Relaying) {
        self.is_locked = relaying == Relaying::Locked;
    }

    /// How much of the server was in use when it was last noted, in per cent.
    pub fn load_percent(&self) -> u8 {
        self.conduct.load_percent
    }

    /// A transaction begins; whether it may, [`crate::judge`] says.
    pub fn begin(&mut self, reverse_path: ReversePath, declared_octets: Option<u64>) {
        self.greeting.transaction = Some(Transaction {
            reverse_path,
            declared_octets,
            facts: Facts::default(),
            older: Facts::default(),
            counted: Counted::default(),
            effects: Effects::default(),
            slowed_secs: 0,
        });
    }

    /// The transaction is over, by its end or by RSET.
    pub fn end_transaction(&mut self) {
        self.greeting.transaction = None;
    }

    /// The reverse-path of the transaction that is open.
    pub fn reverse_path(&self) -> Option<&ReversePath> {
        self.greeting.transaction.as_ref().map(|transaction| &transaction.reverse_path)
    }

    /// What rules want done with the message, of all recipients that were taken.
    pub fn effects(&self) -> Option<&Effects> {
        self.greeting.transaction.as_ref().map(|transaction| &transaction.effects)
    }

    /// Whether a quota was charged in this transaction.
    pub fn is_charged(&self) -> bool {
        let counted = self.greeting.transaction.as_ref().map(|transaction| transaction.counted).unwrap_or_default();
        counted != Counted::default()
    }
}

/// A fact of the case that was asked for and is known.
fn known<'f, T: 'static>(facts: &'f Facts, key: &Key<T>) -> Option<&'f T> {
    match facts.read(key, Of::Case)?.fact {
        Fact::Known(value) => Some(value),
        Fact::Unknown(_) => None,
    }
}

/// Whether rights to relay count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relaying {
    /// Every one does.
    Free,
    /// Only SMTP AUTH does: a stranger could relay, and the operator has not looked yet.
    Locked,
}

/// Whether somebody is said to have logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Somebody is.
    LoggedIn,
    /// Nobody is.
    Nobody,
}
