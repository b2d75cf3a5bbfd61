//! A client that may not come in: why, what it is told, and what the log is.

use guard::{ConfigLine, ExplainId, Load, Reason, Stage};
use judge::SentAway;
use judge::offence::Client;
use listen::{Crowded, Refused as Full};
use smtp::replies;
use smtp::reply::Reply;
use state::{Ban, Offence};

/// Why a client may not come in.
#[derive(Debug)]
pub(crate) enum Away {
    /// It, or its network, has too many connections.
    TooMany(Crowded),
    /// The listener has no room for it.
    NoRoom(Full),
    /// The server is nearly full.
    Busy(Load),
    /// It is banned.
    Banned(Ban),
    /// An entry of the listener keeps it out.
    Denied(ConfigLine),
    /// The entry does, unless the client's name, which is not known now, lets it in.
    Unsure(ConfigLine),
}

impl Away {
    /// The stable word.
    fn reason(&self) -> Reason {
        match self {
            Self::TooMany(_) | Self::NoRoom(Full::ClientFull) => Reason::TooManyConnections,
            Self::Busy(_) | Self::NoRoom(Full::Full) => Reason::Busy,
            Self::Banned(_) => Reason::Banned,
            Self::Denied(_) => Reason::AccessDenied,
            Self::Unsure(_) => Reason::AccessDeferred,
        }
    }

    /// What an SMTP client is told. Whoever is banned for the first time may be a mail server that is misjudged: it comes
    /// again and loses no mail.
    pub(crate) fn reply(&self, id: Option<ExplainId>) -> Reply {
        let reply = match self {
            Self::TooMany(_) | Self::NoRoom(Full::ClientFull) => replies::too_many_connections(),
            Self::NoRoom(Full::Full) => replies::overloaded(),
            Self::Busy(_) => replies::busy(),
            Self::Banned(ban) if ban.before == 0 && is_offence(&ban.reason) => replies::banned_for_now(),
            Self::Banned(_) => replies::banned(),
            Self::Denied(_) => replies::connection_refused(),
            Self::Unsure(_) => replies::name_unknown(),
        };
        explained(reply, id)
    }

    /// What a POP3 client is told (RFC 3206).
    pub(crate) fn pop3(&self) -> &'static [u8] {
        match self {
            Self::TooMany(_) | Self::NoRoom(_) => b"-ERR [SYS/TEMP] Too many connections; try again later\r\n",
            Self::Busy(_) => b"-ERR [SYS/TEMP] Too busy; try again later\r\n",
            Self::Banned(_) => b"-ERR [SYS/PERM] Your address is banned\r\n",
            Self::Denied(_) => b"-ERR [SYS/PERM] Access denied\r\n",
            Self::Unsure(_) => b"-ERR [SYS/TEMP] Your host name cannot be looked up now; try again later\r\n",
        }
    }

    /// As it is told to the log and recorded, once the client was told `reply`.
    pub(crate) fn told<'a>(&self, client: Client<'a>, stage: Stage, told: Answered) -> SentAway<'a> {
        let line = match self {
            Self::Denied(line) | Self::Unsure(line) => Some(line.clone()),
            _ => None,
        };
        let Answered { id, reply } = told;
        SentAway { client, id, stage, reason: self.reason(), cause: self.cause(), line, reply }
    }

    /// What it is about.
    fn cause(&self) -> String {
        match self {
            Self::TooMany(Crowded::Held(network)) => format!("{network} holds too many"),
            Self::TooMany(Crowded::Begun(network)) => format!("{network} begins too many a minute"),
            Self::NoRoom(full) => format!("{full:?}"),
            Self::Busy(load) => load.code().to_owned(),
            Self::Banned(ban) => ban.reason.clone(),
            Self::Denied(line) | Self::Unsure(line) => line.to_string(),
        }
    }
}

/// What a client that may not come in was told.
pub(crate) struct Answered {
    /// `None`: it was turned away so often that this one has no record.
    pub(crate) id: Option<ExplainId>,
    /// The reply.
    pub(crate) reply: String,
}

/// A reply with the id of its record, if there is one.
pub(crate) fn explained(reply: Reply, id: Option<ExplainId>) -> Reply {
    match id {
        Some(id) => reply.explained(&id),
        None => reply,
    }
}

fn is_offence(reason: &str) -> bool {
    Offence::ALL.iter().any(|offence| offence.code() == reason)
}
