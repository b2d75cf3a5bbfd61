//! The conversation: one state per thing waited for.

use super::error::ClientError;
use super::protocol::Protocol;
use super::sending::{Awaiting, Last, Next, Sending};
use super::transaction::{RecipientFate, Report, Stage, Transaction};
use super::{Capabilities, Response, ResponseLimits, ResponseReader};

/// What a session knows from the start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our name in EHLO: a domain or an address literal.
    pub hostname: String,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Bounds on what the peer may say.
    pub limits: ResponseLimits,
}

/// What its owner tells a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// Octets from the peer.
    Bytes(&'a [u8]),
    /// The TLS handshake that [`Event::TlsGo`] asked for is done; what was said before counts no more.
    TlsUp,
    /// The message was written whole, with its dot ([`super::DotWriter::finish`]).
    BodySent,
}

/// What happened; the owner acts on it before it asks for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing is outstanding: [`Session::send`], [`Session::start_tls`], [`Session::auth`] or [`Session::quit`] may follow.
    Ready,
    /// The server will not talk to us; only [`Session::quit`] may follow.
    Refused(Response),
    /// Start the TLS handshake now, then say [`Input::TlsUp`].
    TlsGo,
    /// STARTTLS was refused; the session is as before.
    TlsRefused(Response),
    /// A challenge in base64, to be answered with [`Session::auth_respond`].
    AuthChallenge(String),
    /// AUTH succeeded.
    Authenticated,
    /// AUTH failed; the session is as before.
    AuthRefused(Response),
    /// Write the message through a [`super::DotWriter`] now, then say [`Input::BodySent`].
    SendBody,
    /// The transaction is over. If [`Session::is_open`], another may follow.
    Done(Report),
    /// 421 outside a transaction: the server closes.
    Closing(Response),
}

/// What the session waits for, to choose a time-out (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Nothing: it is our turn.
    Nothing,
    /// The greeting: 5 minutes.
    Greeting,
    /// The reply to a command: 5 minutes.
    Command,
    /// The reply to DATA: 2 minutes.
    Data,
    /// The peer's reading of the message: 3 minutes per block.
    Block,
    /// The reply to the dot: 10 minutes.
    End,
}

/// One connection to a server.
#[derive(Debug)]
pub struct Session {
    config: Config,
    reader: ResponseReader,
    offer: Capabilities,
    state: State,
}

#[derive(Debug)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Handshake,
    Auth,
    /// `reset_due`: the server has a transaction of ours open, which RSET must end before the next MAIL.
    Ready {
        reset_due: bool,
    },
    Sending(Sending),
    Refused,
    Closed,
}

impl Session {
    /// A session on a fresh connection, waiting for the greeting.
    pub fn new(config: Config) -> Self {
        let reader = ResponseReader::new(config.limits);
        Self { config, reader, offer: Capabilities::default(), state: State::Greeting }
    }

    /// What the server offers, as of the last EHLO.
    pub fn capabilities(&self) -> &Capabilities {
        &self.offer
    }

    /// Whether a transaction may be sent now.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Ready { .. })
    }

    /// What is waited for.
    pub fn wait(&self) -> Wait {
        match &self.state {
            State::Greeting => Wait::Greeting,
            State::Ready { .. } | State::Handshake | State::Refused | State::Closed => Wait::Nothing,
            State::Ehlo | State::Helo | State::StartTls | State::Auth => Wait::Command,
            State::Sending(sending) => match sending.awaiting {
                Awaiting::Rset | Awaiting::Mail | Awaiting::Rcpt(_) => Wait::Command,
                Awaiting::Data => Wait::Data,
                Awaiting::Body => Wait::Block,
                Awaiting::End => Wait::End,
            },
        }
    }

    /// Takes one input; [`Session::poll`] until `None` afterwards.
    pub fn handle(&mut self, input: Input<'_>, wire: &mut Vec<u8>) -> Result<(), ClientError> {
        match (input, &mut self.state) {
            (Input::Bytes(bytes), _) => self.reader.push(bytes),
            (Input::TlsUp, State::Handshake) => self.say_hello(wire),
            (Input::BodySent, State::Sending(sending)) if sending.awaiting == Awaiting::Body => {
                sending.awaiting = Awaiting::End;
            }
            (Input::TlsUp, _) => return Err(ClientError::OutOfPlace("the end of a TLS handshake")),
            (Input::BodySent, _) => return Err(ClientError::OutOfPlace("the end of a message")),
        }
        Ok(())
    }

    /// The next thing that happened, `None` when more octets are needed. Appends to `wire` what is to be written.
    pub fn poll(&mut self, wire: &mut Vec<u8>) -> Result<Option<Event>, ClientError> {
        while let Some(response) = self.reader.next_response()? {
            if let Some(event) = self.take(response, wire)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// STARTTLS; the offer is not looked at, so that a caller who demands TLS is not talked out of it by a missing word.
    pub fn start_tls(&mut self, wire: &mut Vec<u8>) -> Result<(), ClientError> {
        self.leave_ready("STARTTLS", State::StartTls)?;
        wire.extend_from_slice(b"STARTTLS\r\n");
        Ok(())
    }

    /// AUTH with an initial response in base64 (`Some("")` is the empty one).
    pub fn auth(&mut self, mechanism: &str, initial: Option<&str>, wire: &mut Vec<u8>) -> Result<(), ClientError> {
        if mechanism.is_empty() || !is_graphic(mechanism) || !is_graphic(initial.unwrap_or_default()) {
            return Err(ClientError::Unfit("AUTH"));
        }
        self.leave_ready("AUTH", State::Auth)?;
        wire.extend_from_slice(b"AUTH ");
        wire.extend_from_slice(mechanism.as_bytes());
        if let Some(initial) = initial {
            wire.push(b' ');
            wire.extend_from_slice(if initial.is_empty() { b"=" } else { initial.as_bytes() });
        }
        wire.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Answers a challenge in base64; `None` cancels.
    pub fn auth_respond(&mut self, answer: Option<&str>, wire: &mut Vec<u8>) -> Result<(), ClientError> {
        if !matches!(self.state, State::Auth) {
            return Err(ClientError::OutOfPlace("an answer to a challenge"));
        }
        if !is_graphic(answer.unwrap_or_default()) {
            return Err(ClientError::Unfit("the answer to a challenge"));
        }
        wire.extend_from_slice(answer.unwrap_or("*").as_bytes());
        wire.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Begins a transaction. A report at once says that the server's offer rules the message out; nothing was sent then.
    pub fn send(&mut self, transaction: &Transaction, wire: &mut Vec<u8>) -> Result<Option<Report>, ClientError> {
        self.begin(transaction, Last::Data, wire)
    }

    /// Asks which recipients the server would take, without a message: MAIL and RCPT, and RSET before whatever comes next.
    pub fn ask(&mut self, transaction: &Transaction, wire: &mut Vec<u8>) -> Result<Option<Report>, ClientError> {
        self.begin(transaction, Last::Rcpt, wire)
    }

    fn begin(
        &mut self,
        transaction: &Transaction,
        last: Last,
        wire: &mut Vec<u8>,
    ) -> Result<Option<Report>, ClientError> {
        let State::Ready { reset_due } = self.state else { return Err(ClientError::OutOfPlace("MAIL")) };
        if transaction.to.is_empty() {
            return Err(ClientError::Unfit("a transaction without recipients"));
        }
        if let Some(response) = transaction.ruled_out(&self.offer) {
            return Ok(Some(Report::refused_all(transaction.to.len(), Stage::Offer, &response)));
        }
        let (mut commands, first) =
            if reset_due { (b"RSET\r\n".to_vec(), Awaiting::Rset) } else { (Vec::new(), Awaiting::Mail) };
        match last {
            Last::Data => transaction.write_commands(&self.offer, &mut commands),
            Last::Rcpt => transaction.write_question(&self.offer, &mut commands),
        }
        let mut sending = Sending::new(commands, first, transaction.to.len(), last);
        if self.offer.pipelining {
            sending.write_all(wire);
        } else {
            sending.write_next(wire);
        }
        self.state = State::Sending(sending);
        Ok(None)
    }

    /// QUIT; nothing more is expected, the connection may be closed once it is written.
    pub fn quit(&mut self, wire: &mut Vec<u8>) {
        if !matches!(self.state, State::Closed | State::Sending(_) | State::Handshake) {
            wire.extend_from_slice(b"QUIT\r\n");
        }
        self.state = State::Closed;
    }

    /// The connection broke, or took too long: the fates of the transaction on its way, as far as they are known.
    pub fn abandon(&mut self) -> Option<Report> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Sending(sending) => {
                let stage = sending.awaiting.stage();
                Some(sending.finish(|| RecipientFate::Unanswered(stage)))
            }
            _ => None,
        }
    }

    fn leave_ready(&mut self, what: &'static str, next: State) -> Result<(), ClientError> {
        if !self.is_open() {
            return Err(ClientError::OutOfPlace(what));
        }
        self.state = next;
        Ok(())
    }

    fn say_hello(&mut self, wire: &mut Vec<u8>) {
        let verb = match self.config.protocol {
            Protocol::Smtp => "EHLO ",
            Protocol::Lmtp => "LHLO ",
        };
        self.offer = Capabilities::default();
        self.write_hello(verb, wire);
        self.state = State::Ehlo;
    }

    fn write_hello(&self, verb: &str, wire: &mut Vec<u8>) {
        wire.extend_from_slice(verb.as_bytes());
        wire.extend(self.config.hostname.bytes().filter(u8::is_ascii_graphic));
        wire.extend_from_slice(b"\r\n");
    }

    fn take(&mut self, response: Response, wire: &mut Vec<u8>) -> Result<Option<Event>, ClientError> {
        if response.code == 421 {
            return Ok(Some(self.closing(response)));
        }
        match &self.state {
            State::Greeting if response.code == 220 => {
                self.say_hello(wire);
                Ok(None)
            }
            State::Ehlo if response.is_positive() => {
                self.offer = Capabilities::parse(&response);
                Ok(Some(self.ready()))
            }
            State::Ehlo if response.is_permanent() && self.config.protocol == Protocol::Smtp => {
                self.write_hello("HELO ", wire);
                self.state = State::Helo;
                Ok(None)
            }
            State::Helo if response.is_positive() => Ok(Some(self.ready())),
            State::Greeting | State::Ehlo | State::Helo => {
                self.state = State::Refused;
                Ok(Some(Event::Refused(response)))
            }
            State::StartTls => self.take_start_tls(response).map(Some),
            State::Auth => self.take_auth(response).map(Some),
            State::Sending(_) => self.take_sending(response, wire),
            State::Closed => Ok(None),
            State::Ready { .. } | State::Handshake | State::Refused => Err(ClientError::Unexpected(response)),
        }
    }

    fn ready(&mut self) -> Event {
        self.state = State::Ready { reset_due: false };
        Event::Ready
    }

    fn closing(&mut self, response: Response) -> Event {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Sending(sending) => {
                let stage = sending.awaiting.stage();
                Event::Done(sending.finish(|| RecipientFate::Refused(stage, response.clone())))
            }
            _ => Event::Closing(response),
        }
    }

    fn take_start_tls(&mut self, response: Response) -> Result<Event, ClientError> {
        if response.code != 220 {
            self.ready();
            return Ok(Event::TlsRefused(response));
        }
        if !self.reader.is_empty() {
            return Err(ClientError::BytesBehindStartTls);
        }
        self.state = State::Handshake;
        Ok(Event::TlsGo)
    }

    fn take_auth(&mut self, response: Response) -> Result<Event, ClientError> {
        match response.code {
            334 => return Ok(Event::AuthChallenge(response.text)),
            200..=399 if response.code != 235 => return Err(ClientError::Unexpected(response)),
            _ => {}
        }
        self.ready();
        Ok(if response.code == 235 { Event::Authenticated } else { Event::AuthRefused(response) })
    }

    fn take_sending(&mut self, response: Response, wire: &mut Vec<u8>) -> Result<Option<Event>, ClientError> {
        let State::Sending(sending) = &mut self.state else { return Err(ClientError::Unexpected(response)) };
        let next = sending.take(response, self.config.protocol)?;
        match next {
            Next::Command if self.offer.pipelining => Ok(None),
            Next::Command if sending.write_next(wire) => Ok(None),
            Next::Command => Ok(self.done(State::Ready { reset_due: true })),
            Next::Body => Ok(Some(Event::SendBody)),
            Next::EmptyBody => {
                wire.extend_from_slice(b".\r\n");
                // RFC 2033 §4.2: no reply follows where no recipient was taken.
                Ok(if self.config.protocol == Protocol::Lmtp {
                    self.done(State::Ready { reset_due: false })
                } else {
                    None
                })
            }
            Next::Reply => Ok(None),
            Next::Done { reset_due } => Ok(self.done(State::Ready { reset_due })),
            Next::DoneAndClosed => Ok(self.done(State::Closed)),
        }
    }

    /// Ends the transaction.
    fn done(&mut self, next: State) -> Option<Event> {
        let State::Sending(sending) = std::mem::replace(&mut self.state, next) else { return None };
        let stage = sending.awaiting.stage();
        Some(Event::Done(sending.finish(|| RecipientFate::Unanswered(stage))))
    }
}

fn is_graphic(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_graphic())
}
