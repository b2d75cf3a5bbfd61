//! The order of steps.

use super::negotiation::Steps;
use super::{Event, MilterError, packet};

/// How far an SMTP session has come. The names are of what was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing was agreed on yet.
    New,
    /// No client is there.
    Idle,
    /// A client is there, and no transaction is open.
    Connected,
    Mail,
    Rcpt,
    Data,
    Headers,
    EndOfHeaders,
    Body,
    /// The message is complete; its reply is awaited.
    End,
    /// The connection is over.
    Closed,
}

/// What a command may follow, and where it leads.
struct Step {
    command: u8,
    first: Phase,
    last: Phase,
    to: Phase,
}

impl Phase {
    /// Is a transaction open?
    pub(super) fn is_transaction(self) -> bool {
        self >= Self::Mail && self <= Self::End
    }

    /// The phase after this event, if it can come now. A step that the filter does not want is not missed.
    pub(super) fn after(self, event: &Event, wanted: Steps) -> Result<Self, MilterError> {
        let Step { command, first, last, to } = step(event, self);
        let first = match first {
            Self::Mail if !wanted.contains(Steps::MAIL) => floor_connected(wanted),
            Self::Connected => floor_connected(wanted),
            other => other,
        };
        if self < first || self > last { Err(MilterError::OutOfOrder(command)) } else { Ok(to) }
    }
}

/// Where a client is there: at once, if the filter is not told that one connects.
fn floor_connected(wanted: Steps) -> Phase {
    if wanted.contains(Steps::CONNECT) { Phase::Connected } else { Phase::Idle }
}

/// HELO and MAIL may come in an open transaction and end it: not every server says ABORT where one was refused. DATA may
/// follow MAIL: recipients may be unwanted or, refused by the server, not told.
fn step(event: &Event, now: Phase) -> Step {
    use Phase::{Body, Closed, Connected, Data, End, EndOfHeaders, Headers, Idle, Mail, New, Rcpt};
    let step = |command, first, last, to| Step { command, first, last, to };
    match event {
        Event::Connect { .. } => step(packet::CONNECT, Idle, Idle, Connected),
        Event::Helo(_) => step(packet::HELO, Connected, Body, Connected),
        Event::Mail { .. } => step(packet::MAIL, Connected, Body, Mail),
        Event::Rcpt { .. } => step(packet::RCPT, Mail, Rcpt, Rcpt),
        Event::Data => step(packet::DATA, Mail, Rcpt, Data),
        Event::Header { .. } => step(packet::HEADER, Mail, Headers, Headers),
        Event::EndOfHeaders => step(packet::END_OF_HEADERS, Mail, Headers, EndOfHeaders),
        Event::Body(_) => step(packet::BODY, Mail, Body, Body),
        Event::EndOfMessage(_) => step(packet::END_OF_MESSAGE, Mail, Body, End),
        Event::Unknown(_) => step(packet::UNKNOWN, Connected, Body, now),
        Event::Abort => step(packet::ABORT, Idle, Body, if now == Idle { Idle } else { Connected }),
        Event::NextConnection => step(packet::QUIT_NEW_CONNECTION, Idle, Body, Idle),
        Event::Quit => step(packet::QUIT, New, Body, Closed),
    }
}
