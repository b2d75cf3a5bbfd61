//! A client that may not come in: why, what it is told, and what the log is.

use guard::{ConfigLine, Load, Reason};
use judge::offence::Client;
use listen::Crowded;
use smtp::replies;
use smtp::reply::Reply;
use state::{Ban, Offence};
use tracing::info;

/// Why a client may not come in.
#[derive(Debug)]
pub(crate) enum Away {
    /// It, or its network, has too many connections.
    TooMany(Crowded),
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
            Self::TooMany(_) => Reason::TooManyConnections,
            Self::Busy(_) => Reason::Busy,
            Self::Banned(_) => Reason::Banned,
            Self::Denied(_) => Reason::AccessDenied,
            Self::Unsure(_) => Reason::AccessDeferred,
        }
    }

    /// What an SMTP client is told. Whoever is banned for the first time may be a mail server that is misjudged: it comes
    /// again and loses no mail.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::TooMany(_) => replies::too_many_connections(),
            Self::Busy(_) => replies::busy(),
            Self::Banned(ban) if ban.before == 0 && is_offence(&ban.reason) => replies::banned_for_now(),
            Self::Banned(_) => replies::banned(),
            Self::Denied(_) => replies::connection_refused(),
            Self::Unsure(_) => replies::name_unknown(),
        }
    }

    /// What a POP3 client is told (RFC 3206).
    pub(crate) fn pop3(&self) -> &'static [u8] {
        match self {
            Self::TooMany(_) => b"-ERR [SYS/TEMP] Too many connections; try again later\r\n",
            Self::Busy(_) => b"-ERR [SYS/TEMP] Too busy; try again later\r\n",
            Self::Banned(_) => b"-ERR [SYS/PERM] Your address is banned\r\n",
            Self::Denied(_) => b"-ERR [SYS/PERM] Access denied\r\n",
            Self::Unsure(_) => b"-ERR [SYS/TEMP] Your host name cannot be looked up now; try again later\r\n",
        }
    }

    /// Tells the log what the client was told.
    pub(crate) fn log(&self, client: Client<'_>, reply: &str) {
        info!(
            session = %client.session,
            listener = client.listener,
            client = %client.addr,
            reply,
            reason = self.reason().code(),
            cause = self.cause(),
            "turned away"
        );
    }

    /// What it is about.
    fn cause(&self) -> String {
        match self {
            Self::TooMany(Crowded::Held(network)) => format!("{network} holds too many"),
            Self::TooMany(Crowded::Begun(network)) => format!("{network} begins too many a minute"),
            Self::Busy(load) => load.code().to_owned(),
            Self::Banned(ban) => ban.reason.clone(),
            Self::Denied(line) | Self::Unsure(line) => line.to_string(),
        }
    }
}

fn is_offence(reason: &str) -> bool {
    Offence::ALL.iter().any(|offence| offence.code() == reason)
}
