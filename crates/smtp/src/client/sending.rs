//! A transaction on its way: which command each reply answers, and what follows from it.

use super::Response;
use super::error::ClientError;
use super::protocol::Protocol;
use super::transaction::{RecipientFate, Report, Stage};

/// A transaction on its way.
#[derive(Debug)]
pub(super) struct Sending {
    /// All its commands, and how many octets of them are written.
    commands: Vec<u8>,
    written: usize,
    pub(super) awaiting: Awaiting,
    last: Last,
    /// `None`: undecided, which after its RCPT means accepted so far.
    fates: Vec<Option<RecipientFate>>,
}

/// With which command a transaction ends, if nothing is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// A message follows.
    Data,
    /// It was only asked who would be taken.
    Rcpt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaiting {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    /// The owner writes the message.
    Body,
    End,
}

impl Awaiting {
    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Rset | Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data | Self::Body => Stage::Data,
            Self::End => Stage::End,
        }
    }
}

/// What follows a reply within a transaction.
pub(super) enum Next {
    /// The next command, or nothing where all are written.
    Command,
    Body,
    /// 354 though nobody was accepted (RFC 2920 §3.1): the message is a lone dot.
    EmptyBody,
    /// Another reply.
    Reply,
    Done {
        reset_due: bool,
    },
    DoneAndClosed,
}

impl Sending {
    /// `commands` begins with what is awaited, RSET or MAIL, and ends with `last`.
    pub(super) fn new(commands: Vec<u8>, awaiting: Awaiting, recipients: usize, last: Last) -> Self {
        Self { commands, written: 0, awaiting, last, fates: vec![None; recipients] }
    }

    /// Writes all commands, for a server that offers PIPELINING.
    pub(super) fn write_all(&mut self, wire: &mut Vec<u8>) {
        wire.extend_from_slice(&self.commands[self.written..]);
        self.written = self.commands.len();
    }

    /// Writes the next command; false: there is none worth sending.
    pub(super) fn write_next(&mut self, wire: &mut Vec<u8>) -> bool {
        if self.awaiting == Awaiting::Data && !self.has_undecided() {
            return false;
        }
        let rest = &self.commands[self.written..];
        let end = rest.iter().position(|&octet| octet == b'\n').map_or(rest.len(), |at| at + 1);
        wire.extend_from_slice(&rest[..end]);
        self.written += end;
        true
    }

    fn has_undecided(&self) -> bool {
        self.fates.iter().any(Option::is_none)
    }

    fn settle_undecided(&mut self, fate: &RecipientFate) {
        for undecided in self.fates.iter_mut().filter(|fate| fate.is_none()) {
            *undecided = Some(fate.clone());
        }
    }

    pub(super) fn finish(self, undecided: impl Fn() -> RecipientFate) -> Report {
        Report { fates: self.fates.into_iter().map(|fate| fate.unwrap_or_else(&undecided)).collect() }
    }

    pub(super) fn take(&mut self, response: Response, protocol: Protocol) -> Result<Next, ClientError> {
        let stage = self.awaiting.stage();
        match self.awaiting {
            Awaiting::Rset if response.is_positive() => {
                self.awaiting = Awaiting::Mail;
                Ok(Next::Command)
            }
            Awaiting::Mail => self.take_mail(response),
            Awaiting::Rcpt(index) => self.take_rcpt(index, response),
            Awaiting::Data => self.take_data(response),
            // A reply while we still write: a refusal ends it, a consent to half a message is nonsense.
            Awaiting::Body if response.code < 400 => Err(ClientError::Unexpected(response)),
            Awaiting::Rset | Awaiting::Body => {
                self.settle_undecided(&RecipientFate::Refused(stage, response));
                Ok(Next::DoneAndClosed)
            }
            Awaiting::End => self.take_end(response, protocol),
        }
    }

    fn take_mail(&mut self, response: Response) -> Result<Next, ClientError> {
        let response = no_intermediate(response)?;
        if !response.is_positive() {
            self.settle_undecided(&RecipientFate::Refused(Stage::Mail, response));
            if self.written < self.commands.len() {
                return Ok(Next::Done { reset_due: false });
            }
        }
        self.awaiting = Awaiting::Rcpt(0);
        Ok(Next::Command)
    }

    fn take_rcpt(&mut self, index: usize, response: Response) -> Result<Next, ClientError> {
        let response = no_intermediate(response)?;
        if !response.is_positive() {
            self.fates[index].get_or_insert(RecipientFate::Refused(Stage::Rcpt, response));
        } else if self.last == Last::Rcpt {
            self.fates[index].get_or_insert(RecipientFate::Accepted(response));
        }
        let next = index + 1;
        if self.last == Last::Rcpt && next == self.fates.len() {
            return Ok(Next::Done { reset_due: true });
        }
        self.awaiting = if next < self.fates.len() { Awaiting::Rcpt(next) } else { Awaiting::Data };
        Ok(Next::Command)
    }

    fn take_data(&mut self, response: Response) -> Result<Next, ClientError> {
        match response.code {
            354 if self.has_undecided() => {
                self.awaiting = Awaiting::Body;
                Ok(Next::Body)
            }
            354 => {
                self.awaiting = Awaiting::End;
                Ok(Next::EmptyBody)
            }
            400.. => {
                self.settle_undecided(&RecipientFate::Refused(Stage::Data, response));
                Ok(Next::Done { reset_due: true })
            }
            _ => Err(ClientError::Unexpected(response)),
        }
    }

    fn take_end(&mut self, response: Response, protocol: Protocol) -> Result<Next, ClientError> {
        let response = no_intermediate(response)?;
        let fate = if response.is_positive() {
            RecipientFate::Accepted(response)
        } else {
            RecipientFate::Refused(Stage::End, response)
        };
        match protocol {
            Protocol::Smtp => self.settle_undecided(&fate),
            Protocol::Lmtp => {
                if let Some(undecided) = self.fates.iter_mut().find(|fate| fate.is_none()) {
                    *undecided = Some(fate);
                }
            }
        }
        Ok(if self.has_undecided() { Next::Reply } else { Next::Done { reset_due: false } })
    }
}

/// MAIL, RCPT and the dot have no 3xx reply; one there means that replies and commands got out of step.
fn no_intermediate(response: Response) -> Result<Response, ClientError> {
    if response.code / 100 == 3 { Err(ClientError::Unexpected(response)) } else { Ok(response) }
}
