//! One connection of a mail server.

use super::command::Command;
use super::macros::{Macros, Stage};
use super::negotiation::{self, Negotiated, Offer, Steps};
use super::packet::PacketReader;
use super::phase::Phase;
use super::reply::{self, Asked};
use super::{Config, Event, MilterError, Misuse, Modification, Reply, packet};

/// The filter's side of a connection: octets in, events out; replies in, octets out.
#[derive(Debug)]
pub struct Session {
    config: Config,
    reader: PacketReader,
    negotiated: Option<Negotiated>,
    phase: Phase,
    macros: Macros,
    asked: Option<Asked>,
    /// Of the message that comes in.
    header_octets: usize,
}

impl Session {
    /// A connection that nothing was said on.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            reader: PacketReader::default(),
            negotiated: None,
            phase: Phase::New,
            macros: Macros::default(),
            asked: None,
            header_octets: 0,
        }
    }

    /// Takes octets from the server. The caller takes the events of one piece before it pushes the next, and does not read on
    /// while a reply is owed: the server waits for it anyway.
    ///
    /// # Errors
    /// [`MilterError::TooMuchInput`] if more than [`INPUT_OCTETS_MAX`](super::INPUT_OCTETS_MAX) octets would wait.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), MilterError> {
        if self.phase == Phase::Closed {
            return Ok(());
        }
        self.reader.push(octets).inspect_err(|_| self.close())
    }

    /// The next event, `None` if more octets are needed or nothing comes any more. What the session answers by itself (the
    /// negotiation, steps that the filter does not want) is appended to `out`.
    ///
    /// # Errors
    /// What the server did wrong; the connection is then to be closed, after what is in `out` was sent. [`Misuse::ReplyOwed`]
    /// if the event before wants a reply; the session goes on when that was given.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Result<Option<Event>, MilterError> {
        if self.asked.is_some() {
            return Err(Misuse::ReplyOwed.into());
        }
        self.read(out).inspect_err(|_| self.close())
    }

    fn read(&mut self, out: &mut Vec<u8>) -> Result<Option<Event>, MilterError> {
        while self.phase != Phase::Closed
            && let Some((command, data)) = self.reader.next()?
        {
            match Command::parse(command, data)? {
                Command::Negotiate(offer) => self.negotiate(offer, out)?,
                Command::Macros(..) if self.negotiated.is_none() => return Err(MilterError::OutOfOrder(packet::MACRO)),
                Command::Macros(stage, set) => {
                    if let Some(stage) = stage {
                        self.macros.set(stage, set);
                    }
                }
                Command::Event(event) => {
                    let event = self.take(command, event)?;
                    if self.is_wanted(&event) {
                        return Ok(Some(event));
                    }
                    self.reply(&Reply::Continue, out)?;
                }
            }
        }
        Ok(None)
    }

    fn negotiate(&mut self, offer: Offer, out: &mut Vec<u8>) -> Result<(), MilterError> {
        if self.negotiated.is_some() {
            return Err(MilterError::OutOfOrder(packet::NEGOTIATE));
        }
        self.negotiated = Some(negotiation::answer(&self.config, offer, out)?);
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Follows the event.
    fn take(&mut self, command: u8, mut event: Event) -> Result<Event, MilterError> {
        let phase = self.phase.after(&event, self.config.steps)?;
        if let Some(stage) = Stage::of_command(command) {
            self.macros.step(stage);
        }
        match &mut event {
            Event::Mail { .. } => self.header_octets = 0,
            Event::Rcpt { refused, .. } => {
                *refused = self.steps().contains(Steps::REFUSED_RCPT)
                    && self.macro_value("rcpt_mailer").is_some_and(|mailer| mailer == b"error");
            }
            Event::Header { name, value } => self.count_header(name.len() + value.len())?,
            Event::Abort => self.macros.clear_from(Stage::Mail),
            Event::NextConnection | Event::Quit => self.macros.clear_from(Stage::Connect),
            _ => {}
        }
        self.set_phase(phase);
        self.asked = Asked::by(&event);
        Ok(event)
    }

    fn count_header(&mut self, octets: usize) -> Result<(), MilterError> {
        self.header_octets = self.header_octets.saturating_add(octets);
        let max = self.config.header_octets_max;
        if self.header_octets > max { Err(MilterError::HeadersTooLong { max }) } else { Ok(()) }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        let step = match event {
            Event::Connect { .. } => Steps::CONNECT,
            Event::Helo(_) => Steps::HELO,
            Event::Mail { .. } => Steps::MAIL,
            Event::Rcpt { .. } => Steps::RCPT,
            Event::Data => Steps::DATA,
            Event::Header { .. } => Steps::HEADERS,
            Event::EndOfHeaders => Steps::END_OF_HEADERS,
            Event::Body(_) => Steps::BODY,
            Event::Unknown(_) => Steps::UNKNOWN,
            Event::EndOfMessage(_) | Event::Abort | Event::NextConnection | Event::Quit => Steps::NONE,
        };
        self.config.steps.contains(step)
    }

    /// Appends the one reply to the last event.
    ///
    /// # Errors
    /// Nothing wants a reply, or not this one.
    pub fn reply(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Result<(), Misuse> {
        let asked = self.asked.ok_or(Misuse::NothingAsked)?;
        asked.check(reply, self.steps())?;
        reply.write(out)?;
        self.asked = None;
        let phase = asked.after(reply, self.phase);
        self.set_phase(phase);
        Ok(())
    }

    /// Appends a change of the message, which goes before the reply to [`Event::EndOfMessage`]. The server carries it out
    /// only if it takes the message.
    ///
    /// # Errors
    /// The message is not at its end, the server did not grant this action, or the text cannot be sent.
    pub fn modify(&self, modification: &Modification<'_>, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.at_end()?;
        let granted = self.negotiated.is_some_and(|agreed| agreed.actions.contains(modification.action()));
        if granted { modification.write(out) } else { Err(Misuse::NotNegotiated) }
    }

    /// Asks the server for patience, before the reply to [`Event::EndOfMessage`].
    ///
    /// # Errors
    /// The message is not at its end.
    pub fn progress(&self, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.at_end()?;
        reply::write_progress(out);
        Ok(())
    }

    fn at_end(&self) -> Result<(), Misuse> {
        match self.asked {
            Some(Asked::End) => Ok(()),
            Some(_) => Err(Misuse::WrongStep),
            None => Err(Misuse::NothingAsked),
        }
    }

    /// A macro's value, by its name with or without braces: `j`, `client_addr`, `{auth_authen}`. Those of a transaction are
    /// gone after its end. A macro that was not sent is `None`; the server sends none that has no value.
    pub fn macro_value(&self, name: &str) -> Option<&[u8]> {
        self.macros.value(name)
    }

    /// What was agreed on; `None` before.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Is the connection over? It is after [`Event::Quit`] and after an error of the server.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn steps(&self) -> Steps {
        self.negotiated.map_or(Steps::NONE, |agreed| agreed.steps)
    }

    fn set_phase(&mut self, phase: Phase) {
        if self.phase.is_transaction() && !phase.is_transaction() {
            self.macros.clear_from(Stage::Mail);
        }
        self.phase = phase;
    }

    fn close(&mut self) {
        self.phase = Phase::Closed;
        self.asked = None;
        self.reader.clear();
    }
}
