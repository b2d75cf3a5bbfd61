//! The server's side of a session: bytes and answers go in, replies and questions come out, time is an argument.
//!
//! It answers for the order of commands, for every limit, and for a relay proof living no longer than its transaction
//! (T12). It does not decide who may send what: it asks.

mod auth;
mod bdat;
mod buffer;
mod config;
mod data;
mod ehlo;
pub(crate) mod envelope;
mod interface;
mod mail;
mod rcpt;
mod state;
mod tls;
mod xclient;

pub use config::{AuthForm, AuthOffer, Flavour, Limits, Offer, Peer, ServerConfig};
pub use envelope::{
    Accepted, BodyKind, Envelope, Helo, HeloVerb, Mail, MailParams, Rcpt, RcptParams, SubmittedBy, With, XClient,
};
pub use interface::{Answer, Drained, Input, Output, Question};

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::command::{Command, CommandError, Reading};
use crate::line::{LineReader, Step};
use crate::opening::{self, Opening};
use crate::replies;
use crate::reply::Reply;
use buffer::Buffer;
use state::{AuthStep, Chunk, State};

/// Most octets that are kept while a question is out. A driver that heeds [`Session::wants_bytes`] never gets near it.
const UNREAD_OCTETS_MAX: usize = 1024 * 1024;

/// Most unknown commands of a client that has not introduced itself: a mail server knows how to begin (T50).
const UNKNOWN_FIRST_MAX: u32 = 3;

/// One session. `R` is the proof that a recipient may be accepted, of which SMTP knows nothing.
#[derive(Debug)]
pub struct Session<R> {
    config: Arc<ServerConfig>,
    peer: Peer,
    login: Option<String>,
    state: State<R>,
    unread: Buffer,
    lines: LineReader,
    counts: Counts,
    started: Instant,
    /// When the client's turn began.
    waiting_since: Instant,
    stopping: bool,
}

/// What the limits of a session are compared with.
#[derive(Debug, Default)]
struct Counts {
    errors: u32,
    unknown_commands: u32,
    /// Of those, before the client introduced itself.
    unknown_first: u32,
    auth_failures: u32,
    auth_not_offered: u32,
    /// The client spoke another protocol, and the session ended.
    other_protocol: u32,
    messages: u32,
    /// Commands behind which others stood before they were allowed to.
    ahead: u32,
}

/// Whether more octets stood behind a command when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    Octets,
}

impl<R> Session<R> {
    /// A session that has said nothing yet.
    pub fn new(config: Arc<ServerConfig>, mut peer: Peer, now: Instant) -> Self {
        peer.addr = peer.addr.to_canonical();
        Self {
            config,
            peer,
            login: None,
            state: State::Silent,
            unread: Buffer::default(),
            lines: LineReader::default(),
            counts: Counts::default(),
            started: now,
            waiting_since: now,
            stopping: false,
        }
    }

    /// The first act: asks [`Question::Connect`]. Further calls do nothing.
    pub fn start(&mut self, now: Instant, out: &mut Vec<Output<R>>) {
        if matches!(self.state, State::Silent) {
            self.waiting_since = now;
            self.ask(State::ConnectAsked, Question::Connect, out);
        }
    }

    /// Takes one input and appends, in order, what the caller must do now.
    pub fn handle(&mut self, input: Input<'_, R>, now: Instant, out: &mut Vec<Output<R>>) {
        match input {
            Input::Bytes(bytes) => self.bytes(bytes, now, out),
            Input::Answer(answer) if self.state.is_question_out() => {
                self.waiting_since = now;
                self.answer(answer, out);
                self.read_unread(now, out);
            }
            Input::Answer(_) => {}
            Input::TlsUp => self.tls_up(now),
            Input::Timeout => self.timeout(now, out),
            Input::PeerGone => self.end(out),
            Input::Shutdown => self.stopping = true,
            Input::Cut => self.cut(out),
        }
        if self.stopping && self.state.is_command_boundary() {
            self.close(replies::shutting_down(), out);
        }
    }

    /// When [`Input::Timeout`] is due; `None` while a question is out, before the start and after the end.
    pub fn deadline(&self) -> Option<Instant> {
        let limits = &self.config.limits;
        let wait = match self.state {
            State::Silent | State::Closed => return None,
            _ if self.state.is_question_out() => return None,
            State::Body(_) | State::Chunk(..) | State::Swallowing(_) => limits.data_timeout,
            _ => limits.command_timeout,
        };
        Some((self.waiting_since + wait).min(self.started + limits.session_timeout))
    }

    /// Who authenticated.
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// How often AUTH was tried where it is not offered: that is guessing too, and the caller's to count (T16).
    pub fn auth_not_offered(&self) -> u32 {
        self.counts.auth_not_offered
    }

    /// Whether the client sent commands ahead before it was told that it may: behind its greeting, or without ever having been
    /// told so, which only EHLO does (RFC 2920 §3.1). After XCLIENT and STARTTLS it is asked anew.
    pub fn spoke_ahead(&self) -> bool {
        self.counts.ahead > 0
    }

    /// Commands that no mail server knows.
    pub fn unknown_commands(&self) -> u32 {
        self.counts.unknown_commands + self.counts.unknown_first
    }

    /// How often the client spoke another protocol, such as HTTP.
    pub fn spoke_other_protocol(&self) -> u32 {
        self.counts.other_protocol
    }

    /// How the client introduced itself.
    pub fn helo(&self) -> Option<&Helo> {
        self.state.helo()
    }

    /// The client's address: the peer's, or what a listed proxy said by XCLIENT.
    pub fn client_addr(&self) -> IpAddr {
        self.peer.addr
    }

    /// Whether octets are of use now; false while a question is out, so that a client waits for its answer.
    pub fn wants_bytes(&self) -> bool {
        !self.state.is_question_out() && !matches!(self.state, State::Silent | State::Securing | State::Closed)
    }

    /// Whether [`Output::Close`] was given.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn bytes(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<Output<R>>) {
        match self.state {
            State::Closed => return,
            // Clear text after we said that TLS comes: somebody in between, or a driver's mistake.
            State::Securing => return self.end(out),
            _ => {}
        }
        if !bytes.is_empty() && matches!(self.state, State::Body(_) | State::Chunk(..) | State::Swallowing(_)) {
            self.waiting_since = now;
        }
        if self.unread.is_empty() {
            let used = self.read(bytes, now, out);
            if !matches!(self.state, State::Closed) {
                self.unread.append(&bytes[used..]);
            }
        } else {
            self.unread.append(bytes);
            self.read_unread(now, out);
        }
        if self.unread.len() > UNREAD_OCTETS_MAX {
            self.close(replies::internal_fault(), out);
        }
    }

    fn read_unread(&mut self, now: Instant, out: &mut Vec<Output<R>>) {
        let mut unread = mem::take(&mut self.unread);
        let used = self.read(unread.as_slice(), now, out);
        unread.consume(used);
        if !matches!(self.state, State::Closed) {
            self.unread = unread;
        }
    }

    /// Goes through the input until a question is out, the session ends, or more is needed. Returns how far it came.
    fn read(&mut self, input: &[u8], now: Instant, out: &mut Vec<Output<R>>) -> usize {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let step = match self.state {
                State::Body(_) => self.read_body(rest, out),
                State::Chunk(..) => self.read_chunk(rest, out),
                State::Swallowing(_) => self.swallow(rest, out),
                _ if self.stopping && self.state.is_command_boundary() => {
                    self.close(replies::shutting_down(), out);
                    break;
                }
                _ if self.state.is_command_boundary() => self.read_line(rest, now, out),
                _ => break,
            };
            if step == 0 {
                break;
            }
            used += step;
        }
        used
    }

    fn read_line(&mut self, input: &[u8], now: Instant, out: &mut Vec<Output<R>>) -> usize {
        let in_auth = matches!(self.state, State::Auth(..));
        let command_octets = self.config.limits.command_line_octets;
        let line_octets = if in_auth { command_octets.max(auth::LINE_OCTETS_MAX) } else { command_octets };
        // Also before its end is here: a long target must not make a line that is only too long of it (T50).
        if !in_auth
            && self.lines.is_at_start()
            && let Some(opening) = opening::begins(input)
        {
            self.spoke_other(opening, out);
            return input.len();
        }
        let (line, used) = match self.lines.step(input, line_octets) {
            Step::More(used) => return used,
            Step::BareLineEnd => {
                self.close(replies::bare_line_end(), out);
                return input.len();
            }
            Step::Line(line, used) => (Some(line), used),
            Step::TooLong(used) => (None, used),
        };
        self.waiting_since = now;
        let behind = if used == input.len() { Behind::Nothing } else { Behind::Octets };
        match line {
            Some(line) if in_auth => self.auth_line(line, out),
            None if in_auth => self.abort_auth(replies::auth_line_too_long(), out),
            Some(line) => match opening::of_line(line) {
                Some(opening) => self.spoke_other(opening, out),
                None => self.command(line, behind, out),
            },
            // No mail server begins so; a request of HTTP may (T50).
            None if matches!(self.state, State::Fresh) => self.close(replies::command_too_long(), out),
            None => self.error(replies::command_too_long(), out),
        }
        used
    }

    fn command(&mut self, line: &[u8], behind: Behind, out: &mut Vec<Output<R>>) {
        let config = Arc::clone(&self.config);
        let ours = self.peer.trusted || self.login.is_some();
        let reading = Reading { syntax: config.syntax, completion: config.default_domain.as_ref().filter(|_| ours) };
        let command = match Command::parse(line, reading) {
            Ok(command) => command,
            Err(error) => return self.bad_command(line, error, out),
        };
        let before_tls = matches!(
            command,
            Command::Helo(_) | Command::StartTls | Command::Noop | Command::Rset | Command::Quit | Command::Help
        );
        if self.config.offer.tls_required && !self.peer.tls && !before_tls {
            return self.refuse_command(&command, replies::tls_required(), out);
        }
        if behind == Behind::Octets && self.must_wait(&command) {
            self.counts.ahead = self.counts.ahead.saturating_add(1);
        }
        match command {
            Command::Helo(helo) => self.helo_command(helo, out),
            Command::Mail(mail) => self.mail_command(mail, out),
            Command::Rcpt(rcpt, charset) => self.rcpt_command(rcpt, charset, out),
            Command::Data => self.data_command(behind, out),
            Command::Bdat { octets, last } => self.bdat_command(Chunk { octets, left: octets, last }, out),
            Command::Rset => self.rset_command(out),
            Command::Noop => out.push(Output::Reply(replies::ok())),
            Command::Help => out.push(Output::Reply(replies::help())),
            Command::Quit => self.close(replies::closing(), out),
            Command::Vrfy(_) => out.push(Output::Reply(replies::vrfy_closed())),
            Command::Expn(_) | Command::XForward => self.unknown(replies::not_implemented(), out),
            Command::StartTls => self.starttls_command(behind, out),
            Command::Auth { mechanism, initial } => self.auth_command(mechanism, initial, out),
            Command::XClient(facts) => self.xclient_command(facts, out),
        }
    }

    /// Whether nothing may stand behind a command yet.
    fn must_wait(&self, command: &Command<'_>) -> bool {
        let told = self.state.helo().is_some_and(|helo| helo.verb == HeloVerb::Ehlo);
        match command {
            Command::Helo(_) => true,
            Command::Mail(_) | Command::Rcpt(..) => !told,
            _ => false,
        }
    }

    fn bad_command(&mut self, line: &[u8], error: CommandError<'_>, out: &mut Vec<Output<R>>) {
        if matches!(self.state, State::Fresh)
            && matches!(error, CommandError::Unknown | CommandError::Characters)
            && let Some(opening) = opening::of_first_line(line)
        {
            return self.spoke_other(opening, out);
        }
        if matches!(self.state, State::Fresh) && matches!(error, CommandError::Unknown) {
            self.counts.unknown_first += 1;
            if self.counts.unknown_first >= UNKNOWN_FIRST_MAX {
                out.push(Output::Reply(error.reply()));
                return self.close(replies::too_many_unknown(), out);
            }
        }
        match error {
            CommandError::Unknown | CommandError::NotImplemented => self.unknown(error.reply(), out),
            CommandError::Bdat => self.close(error.reply(), out),
            CommandError::XClient if !self.peer.xclient => self.unknown(replies::not_offered(), out),
            _ => self.error(error.reply(), out),
        }
    }

    /// Another protocol's words end the session.
    fn spoke_other(&mut self, opening: Opening, out: &mut Vec<Output<R>>) {
        self.counts.other_protocol += 1;
        self.close(other_protocol(opening), out);
    }

    /// Refuses a command in any state, with the octets that belong to it.
    fn refuse_command(&mut self, command: &Command<'_>, reply: Reply, out: &mut Vec<Output<R>>) {
        match command {
            Command::Bdat { octets, .. } => self.start_swallowing(*octets, reply, out),
            _ => self.error(reply, out),
        }
    }

    fn rset_command(&mut self, out: &mut Vec<Output<R>>) {
        self.abandon(out);
        out.push(Output::Reply(replies::ok()));
    }

    /// Drops the transaction, with its proofs and what came of its message.
    fn abandon(&mut self, out: &mut Vec<Output<R>>) {
        let state = self.take_state();
        if state.has_begun_message() {
            out.push(Output::DiscardBody);
        }
        self.state = State::idle(state.into_helo());
    }

    fn answer(&mut self, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        // Whatever was asked, this ends the session; the state goes with it.
        if let Answer::RefuseAndClose(reply) = answer {
            return self.close(reply, out);
        }
        match self.take_state() {
            State::ConnectAsked => self.connect_answer(answer, out),
            State::HeloAsked(introduction) => self.helo_answer(introduction, answer, out),
            State::Auth(helo, AuthStep::Asked) => self.auth_answer(helo, answer, out),
            State::Auth(helo, AuthStep::Aborting(reply)) => self.auth_aborted(helo, reply, out),
            State::MailAsked(envelope) => self.mail_answer(envelope, answer, out),
            State::RcptAsked(candidate) => self.rcpt_answer(candidate, answer, out),
            State::DataAsked(envelope) => self.data_answer(envelope, answer, out),
            State::BdatAsked(first) => self.bdat_answer(first, answer, out),
            State::MessageAsked(helo) => self.message_answer(helo, answer, out),
            State::XClientAsked(proxied) => self.xclient_answer(proxied, answer, out),
            _ => self.misfit(out),
        }
    }

    fn connect_answer(&mut self, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        match answer {
            Answer::Proceed if !self.unread.is_empty() => self.close(replies::early_talker(), out),
            Answer::Proceed => {
                self.state = State::Fresh;
                out.push(Output::Reply(replies::greeting(&self.config.hostname, &self.config.software)));
            }
            Answer::Refuse(reply) => self.close(reply, out),
            _ => self.misfit(out),
        }
    }

    fn timeout(&mut self, now: Instant, out: &mut Vec<Output<R>>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let session_end = self.started + self.config.limits.session_timeout;
        let reply = if now >= session_end { replies::session_too_long() } else { replies::timed_out() };
        self.close(reply, out);
    }

    /// Its right has ended: what is half done is given up.
    fn cut(&mut self, out: &mut Vec<Output<R>>) {
        if !matches!(self.state, State::Closed) {
            self.close(replies::session_cut(), out);
        }
    }

    /// An answer that does not fit its question.
    fn misfit(&mut self, out: &mut Vec<Output<R>>) {
        self.close(replies::internal_fault(), out);
    }

    fn take_state(&mut self) -> State<R> {
        mem::replace(&mut self.state, State::Closed)
    }

    fn ask(&mut self, state: State<R>, question: Question<R>, out: &mut Vec<Output<R>>) {
        self.state = state;
        out.push(Output::Ask(question));
    }

    /// A refusal by the caller: a 5xx counts as an error, a 4xx is not the client's fault.
    fn refused(&mut self, reply: Reply, out: &mut Vec<Output<R>>) {
        if reply.is_permanent() { self.error(reply, out) } else { out.push(Output::Reply(reply)) }
    }

    fn error(&mut self, reply: Reply, out: &mut Vec<Output<R>>) {
        out.push(Output::Reply(reply));
        self.counts.errors += 1;
        if self.counts.errors >= self.config.limits.errors {
            self.close(replies::too_many_errors(), out);
        }
    }

    fn unknown(&mut self, reply: Reply, out: &mut Vec<Output<R>>) {
        self.counts.unknown_commands += 1;
        if self.counts.unknown_commands >= self.config.limits.unknown_commands {
            out.push(Output::Reply(reply));
            return self.close(replies::too_many_unknown(), out);
        }
        self.error(reply, out);
    }

    fn close(&mut self, reply: Reply, out: &mut Vec<Output<R>>) {
        if self.state.has_begun_message() {
            out.push(Output::DiscardBody);
        }
        out.push(Output::Reply(reply));
        self.state = State::Closed;
        self.unread = Buffer::default();
        out.push(Output::Close);
    }

    /// Closes without a word.
    fn end(&mut self, out: &mut Vec<Output<R>>) {
        let state = self.take_state();
        self.unread = Buffer::default();
        if state.has_begun_message() {
            out.push(Output::DiscardBody);
        }
        if !matches!(state, State::Closed) {
            out.push(Output::Close);
        }
    }
}

/// The last word to who speaks another protocol.
fn other_protocol(opening: Opening) -> Reply {
    match opening {
        Opening::Http => replies::http_spoken(),
        Opening::Other => replies::other_protocol(),
    }
}

#[cfg(test)]
mod tests;
