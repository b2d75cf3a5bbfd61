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
    failed: Option<MilterError>,
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
            failed: None,
            header_octets: 0,
        }
    }

    /// Takes octets from the server. The caller takes the events of one piece before it pushes the next, and does not read on
    /// while a reply is owed: the server waits for it anyway. What comes all the same is kept up to
    /// [`INPUT_OCTETS_MAX`](super::INPUT_OCTETS_MAX), then [`Session::next_event`] fails.
    pub fn push(&mut self, octets: &[u8]) {
        if self.phase != Phase::Closed
            && let Err(error) = self.reader.push(octets)
        {
            self.fail(error);
        }
    }

    /// The next event; `None`: more octets are needed, or nothing comes after [`Event::Quit`]. What the session answers by
    /// itself (the negotiation, steps that the filter does not want) is appended to `out`.
    ///
    /// # Errors
    /// What the server did wrong; the connection is then to be closed, after what is in `out` was sent. [`Misuse::ReplyOwed`]
    /// if the event before wants a reply; the session goes on when that was given.
    pub fn next_event(&mut self, out: &mut Vec<u8>) -> Result<Option<Event>, MilterError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.asked.is_some() {
            return Err(Misuse::ReplyOwed.into());
        }
        self.read(out).inspect_err(|&error| self.fail(error))
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
    /// gone after its end. `None` if it was not sent, as one is that has no meaning here: `auth_authen` without a login. An
    /// IPv6 address in `client_addr` has `IPv6:` before it; [`Event::Connect`] has the address itself.
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

    fn fail(&mut self, error: MilterError) {
        self.failed = Some(error);
        self.phase = Phase::Closed;
        self.asked = None;
        self.reader.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milter::Actions;

    const OFFER: &[u8] = b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";
    const CLIENT: &[u8] = b"h\x004\x04\xd2192.0.2.7\0";

    /// A session that has taken these packets, all of them answered with "continue".
    fn after(config: Config, packets: &[(u8, &[u8])]) -> Result<(Session, Vec<Event>), MilterError> {
        let (mut session, mut events) = (Session::new(config), Vec::new());
        for (command, data) in packets {
            let (mut input, mut out) = (Vec::new(), Vec::new());
            packet::write(*command, &[data], &mut input);
            session.push(&input);
            while let Some(event) = session.next_event(&mut out)? {
                if event.wants_reply() {
                    session.reply(&Reply::Continue, &mut out)?;
                }
                events.push(event);
            }
        }
        Ok((session, events))
    }

    fn all_steps() -> Config {
        let more = [Steps::HEADERS, Steps::END_OF_HEADERS, Steps::BODY, Steps::UNKNOWN];
        let base = Config::default();
        Config { steps: more.into_iter().fold(base.steps, Steps::or), ..base }
    }

    /// Data that fit a command.
    fn packet_of(command: u8) -> (u8, &'static [u8]) {
        let data: &[u8] = match command {
            b'O' => OFFER,
            b'C' => CLIENT,
            b'D' => b"Mi\0A1\0",
            b'H' | b'M' | b'R' | b'U' => b"x\0",
            b'L' => b"a\0b\0",
            _ => b"",
        };
        (command, data)
    }

    #[test]
    fn steps_come_in_order() {
        // What came, what may come then, and what may not.
        let table: &[(&str, &str, &str)] = &[
            ("", "OQ", "CDHMRTLNBEUAK"),
            ("O", "CDAKQ", "OHMRTLNBEU"),
            ("OC", "DHMUAKQ", "OCRTLNBE"),
            ("OCH", "DHMUAKQ", "OCRTLNBE"),
            ("OCM", "DHMRTLNBEUAKQ", "OC"),
            ("OCMR", "DHMRTLNBEUAKQ", "OC"),
            ("OCMRT", "DHMLNBEUAKQ", "OCRT"),
            ("OCMRTL", "DHMLNBEUAKQ", "OCRT"),
            ("OCMRTLN", "DHMBEUAKQ", "OCRTLN"),
            ("OCMRTLNB", "DHMBEUAKQ", "OCRTLN"),
            ("OCMRTLNBE", "DHMUAKQ", "OCRTLNBE"),
            ("OCMRA", "DHMUAKQ", "OCRTLNBE"),
            ("OCMRH", "DHMUAKQ", "OCRTLNBE"),
            ("OCMRM", "DHMRTLNBEUAKQ", "OC"),
            ("OCMRK", "CDAKQ", "OHMRTLNBEU"),
        ];
        for (came, may, may_not) in table {
            for (commands, fits) in [(may, true), (may_not, false)] {
                for command in commands.bytes() {
                    let packets: Vec<_> = came.bytes().chain([command]).map(packet_of).collect();
                    let result = after(all_steps(), &packets).map(|_| ());
                    let expected = if fits { Ok(()) } else { Err(MilterError::OutOfOrder(command)) };
                    assert_eq!(result, expected, "{} after {came}", command.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn steps_that_are_not_wanted_are_not_missed_and_not_told() {
        let config = Config { steps: Steps::RCPT, ..Config::default() };
        let declined: Vec<_> = "ORREQ".bytes().map(packet_of).collect();
        let (_, events) = after(config.clone(), &declined).unwrap();
        assert_eq!(events.len(), 4);
        // A server that cannot leave a step out.
        let mut told: Vec<_> = "OCHMRTLNBEQ".bytes().map(packet_of).collect();
        told[0].1 = b"\0\0\0\x02\0\0\0\0\0\0\0\0";
        let (_, events) = after(config, &told).unwrap();
        let rcpt = Event::Rcpt { path: b"x".to_vec(), params: vec![], refused: false };
        assert_eq!(events, [rcpt, Event::EndOfMessage(vec![]), Event::Quit]);
        let end_at_once = |steps| after(Config { steps, ..Config::default() }, &[packet_of(b'O'), packet_of(b'E')]);
        assert_eq!(end_at_once(Steps::NONE).unwrap().1, [Event::EndOfMessage(vec![])]);
        assert!(end_at_once(Steps::CONNECT).is_err() && end_at_once(Steps::MAIL).is_err());
    }

    #[test]
    fn macros_go_with_their_client_and_their_transaction() {
        let rcpt: &[(u8, &[u8])] = &[
            (b'O', OFFER),
            (b'D', b"Cj\0mx.example\0{client_name}\0c.example\0"),
            (b'C', CLIENT),
            (b'D', b"Mi\0A1\0{auth_authen}\0alice\0"),
            (b'M', b"<a@b>\0"),
            (b'D', b"R{rcpt_mailer}\0local\0"),
            (b'R', b"<c@d>\0"),
        ];
        let values = |session: &Session| {
            let there = |name: &&str| session.macro_value(name).is_some();
            ["j", "client_name", "i", "auth_authen", "rcpt_mailer"].into_iter().filter(there).collect::<Vec<_>>()
        };
        let with = |packets: &[(u8, &'static [u8])]| after(all_steps(), &[rcpt, packets].concat()).unwrap().0;
        assert_eq!(values(&with(&[])), ["j", "client_name", "i", "auth_authen", "rcpt_mailer"]);
        assert_eq!(values(&with(&[(b'R', b"<e@f>\0")])), ["j", "client_name", "i", "auth_authen"]);
        for end in [b'A', b'E', b'H', b'M'] {
            assert_eq!(values(&with(&[packet_of(end)])), ["j", "client_name"], "{}", end.escape_ascii());
        }
        assert!(values(&with(&[(b'K', b"")])).is_empty());
        assert!(values(&with(&[(b'K', b""), (b'C', CLIENT)])).is_empty());
        assert!(values(&with(&[(b'Q', b"")])).is_empty());
    }

    #[test]
    fn recipients_that_the_server_refuses_are_told_apart() {
        let packets: &[(u8, &[u8])] = &[
            (b'O', OFFER),
            (b'C', CLIENT),
            (b'M', b"<a@b>\0"),
            (b'D', b"R{rcpt_mailer}\0error\0"),
            (b'R', b"<c@d>\0"),
            (b'R', b"<e@f>\0"),
        ];
        let refused = |config: Config| -> Vec<bool> {
            let (_, events) = after(config, packets).unwrap();
            let refused = |event: &Event| if let Event::Rcpt { refused, .. } = event { Some(*refused) } else { None };
            events.iter().filter_map(refused).collect()
        };
        assert_eq!(refused(Config::default()), [true, false]);
        let without = Config { steps: Steps::CONNECT.or(Steps::MAIL).or(Steps::RCPT), ..Config::default() };
        assert_eq!(refused(without), [false, false], "a mailer of that name means nothing if it was not agreed on");
    }

    fn asked(commands: &str) -> (Session, Vec<u8>) {
        let (last, before) = commands.as_bytes().split_last().unwrap();
        let packets: Vec<_> = before.iter().copied().map(packet_of).collect();
        let (mut session, _) = after(all_steps(), &packets).unwrap();
        let (command, data) = packet_of(*last);
        let (mut input, mut out) = (Vec::new(), Vec::new());
        packet::write(command, &[data], &mut input);
        session.push(&input);
        assert!(session.next_event(&mut out).unwrap().unwrap().wants_reply());
        (session, out)
    }

    #[test]
    fn one_reply_to_each_event() {
        let (mut session, mut out) = asked("OCM");
        assert_eq!(session.next_event(&mut out), Err(Misuse::ReplyOwed.into()));
        assert_eq!(session.reply(&Reply::Skip, &mut out), Err(Misuse::WrongStep));
        assert!(out.is_empty());
        assert_eq!(session.reply(&Reply::Tempfail, &mut out), Ok(()));
        assert_eq!(out, b"\0\0\0\x01t");
        assert_eq!(session.reply(&Reply::Tempfail, &mut out), Err(Misuse::NothingAsked));
        assert_eq!(session.next_event(&mut out), Ok(None));
        assert_eq!(out, b"\0\0\0\x01t");
    }

    #[test]
    fn what_was_refused_is_over() {
        let refusals = [Reply::Accept, Reply::Reject, Reply::Tempfail, Reply::Discard];
        let goes_on = |commands: &str, reply: &Reply, next: u8| {
            let (mut session, mut out) = asked(commands);
            session.reply(reply, &mut out).unwrap();
            let mut input = Vec::new();
            packet::write(next, &[packet_of(next).1], &mut input);
            session.push(&input);
            session.next_event(&mut out).is_ok()
        };
        for reply in &refusals {
            assert!(!goes_on("OCM", reply, b'R') && goes_on("OCM", reply, b'M'), "{reply:?}");
            assert!(!goes_on("OCMRT", reply, b'L') && goes_on("OCMRT", reply, b'A'), "{reply:?}");
            assert!(!goes_on("OCMRTLNBE", reply, b'B') && goes_on("OCMRTLNBE", reply, b'M'), "{reply:?}");
            assert_eq!(goes_on("OCMR", reply, b'R'), matches!(reply, Reply::Reject | Reply::Tempfail), "{reply:?}");
        }
        assert!(goes_on("OC", &Reply::Reject, b'H'), "Postfix lets a client go on that it refuses later");
        assert!(goes_on("OCMU", &Reply::Reject, b'R'), "an unknown command changes nothing");
    }

    #[test]
    fn modifications_only_at_the_end_and_only_if_granted() {
        let (session, mut out) = asked("OCMR");
        let header = Modification::AddHeader { name: "A", value: "b" };
        assert_eq!(session.modify(&header, &mut out), Err(Misuse::WrongStep));
        assert_eq!(session.progress(&mut out), Err(Misuse::WrongStep));
        assert_eq!(Session::new(all_steps()).modify(&header, &mut out), Err(Misuse::NothingAsked));
        assert!(out.is_empty());
        let (mut session, mut out) = asked("OCMRTLNBE");
        assert_eq!(session.negotiated().unwrap().actions, Actions::ADD_HEADERS.or(Actions::QUARANTINE));
        let body = Modification::ReplaceBody(b"x");
        assert_eq!(session.modify(&body, &mut out), Err(Misuse::NotNegotiated));
        assert_eq!(session.modify(&header, &mut out), Ok(()));
        assert_eq!(session.progress(&mut out), Ok(()));
        assert_eq!(session.reply(&Reply::Continue, &mut out), Ok(()));
        assert_eq!(out, b"\0\0\0\x05hA\0b\0\0\0\0\x01p\0\0\0\x01c");
        assert_eq!(session.modify(&header, &mut out), Err(Misuse::NothingAsked));
    }

    #[test]
    fn headers_of_a_message_are_bounded() {
        let config = || Config { header_octets_max: 5, ..all_steps() };
        let twice = |between: &[(u8, &'static [u8])]| {
            let begin: &[(u8, &[u8])] = &[(b'O', OFFER), (b'C', CLIENT), (b'M', b"x\0")];
            let header: &[(u8, &[u8])] = &[(b'L', b"ab\0c\0")];
            after(config(), &[begin, header, between, header].concat()).map(|_| ())
        };
        assert_eq!(twice(&[]), Err(MilterError::HeadersTooLong { max: 5 }));
        assert_eq!(twice(&[(b'A', b""), (b'M', b"x\0")]), Ok(()));
    }

    #[test]
    fn nothing_is_read_behind_the_end() {
        let (mut session, events) = after(all_steps(), &[packet_of(b'O'), packet_of(b'Q')]).unwrap();
        assert_eq!(events, [Event::Quit]);
        let mut out = Vec::new();
        session.push(b"\0\0\0\x01A");
        assert!(session.is_closed() && session.next_event(&mut out) == Ok(None) && out.is_empty());
        let mut session = Session::new(all_steps());
        session.push(b"\0\0\0\0A");
        let wrong = session.next_event(&mut out);
        assert!(wrong.is_err() && session.is_closed());
        session.push(b"\0\0\0\x01Q");
        assert_eq!(session.next_event(&mut out), wrong, "nothing after it can be believed");
    }

    #[test]
    fn a_server_that_does_not_wait_for_its_replies_is_bounded() {
        let (mut session, mut out) = asked("OCMR");
        for _ in 0..super::super::INPUT_OCTETS_MAX / 65_536 {
            session.push(&vec![0; 65_536]);
        }
        assert_eq!(session.next_event(&mut out), Err(Misuse::ReplyOwed.into()));
        session.push(&[0]);
        let max = super::super::INPUT_OCTETS_MAX;
        assert_eq!(session.next_event(&mut out), Err(MilterError::TooMuchInput { max }));
        assert_eq!(session.reply(&Reply::Continue, &mut out), Err(Misuse::NothingAsked));
        assert!(session.is_closed() && out.is_empty());
    }
}
