//! The server's side of a POP3 session (RFC 1939): AUTHORIZATION, TRANSACTION, UPDATE.
//!
//! The driver begins with [`Session::start`], feeds what it read while [`Session::wants_bytes`], does the outputs in
//! their order, answers each question with [`Input::Answer`], and feeds [`Input::Timeout`] at [`Session::deadline`].

mod authorization;
mod foreign;
mod transaction;

use crate::command::{Command, Invalid};
use crate::config::Config;
use crate::listing::{Lines, Listing, Marks};
use crate::replies;
use crate::reply::Reply;
use crate::secret::Secret;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Who is there, as far as the driver knows.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// TLS was up before the first octet.
    pub tls: bool,
    /// The timestamp of the greeting, `<random.clock@host>`, never used before; `None`: no APOP.
    pub apop_banner: Option<String>,
}

/// What the driver tells the session.
pub enum Input<'a> {
    /// Octets from the client.
    Bytes(&'a [u8]),
    /// The answer to the question that is out.
    Answer(Answer),
    /// The handshake after [`Output::StartTls`] is done.
    TlsUp,
    /// [`Session::deadline`] has come.
    Timeout,
    /// The connection broke: nothing is deleted (RFC 1939 §6).
    PeerGone,
    /// The server stops: the session ends at the next command.
    Shutdown,
    /// This session is ended at once: nothing is deleted.
    Cut,
}

/// What the driver must do now.
#[derive(Debug)]
pub enum Output {
    /// Write it.
    Reply(Reply),
    /// Write all of them, in pieces.
    Lines(Lines),
    /// Find out, then give [`Input::Answer`].
    Ask(Question),
    /// Flush, then negotiate TLS, then give [`Input::TlsUp`].
    StartTls(Drained),
    /// Flush and close; drop the maildrop's lock.
    Close,
}

/// Proof that nothing was buffered behind STLS: command injection dies here (CVE-2011-0411).
#[derive(Debug)]
pub struct Drained(());

/// What the session must know to go on. One at a time; no command is looked at before its answer.
#[derive(PartialEq, Eq)]
pub enum Question {
    /// May the client in at all? [`Answer::Proceed`], `Refuse`.
    Connect,
    /// USER and PASS. [`Answer::Authenticated`], `AuthFailed`, `Refuse`.
    UserPass {
        /// As the client wrote it.
        user: String,
        /// As the client wrote it; never empty.
        pass: Secret,
    },
    /// APOP: is `digest` the MD5 of banner and secret? [`Answer::Authenticated`], `AuthFailed`, `Refuse`.
    Apop {
        /// As the client wrote it.
        user: String,
        /// What the client computed.
        digest: [u8; 16],
        /// The greeting's timestamp, with its angle brackets.
        banner: String,
    },
    /// AUTH: a new exchange, whatever became of an earlier one. [`Answer::AuthChallenge`], `Authenticated`,
    /// `AuthFailed`, `Refuse`.
    AuthStart {
        /// In upper case; one of those offered.
        mechanism: &'static str,
        /// Decoded from base64.
        initial: Option<Secret>,
    },
    /// The client's next response. Answers as for `AuthStart`. `None`: forget the exchange, any answer does.
    AuthStep(Option<Secret>),
    /// Lock and list the maildrop of this login. [`Answer::Maildrop`], `Refuse`.
    OpenMaildrop {
        /// From [`Answer::Authenticated`].
        login: String,
    },
    /// Send a message. [`Answer::Sent`] or, before anything was written, `Refuse`.
    Message(Wanted),
    /// QUIT: delete these messages, ascending. [`Answer::Proceed`], `Refuse`. Not asked when there are none.
    Commit {
        /// Message numbers, from 1.
        deleted: Vec<u32>,
    },
}

impl fmt::Debug for Question {
    /// Names only: what a client types as its login may be its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("Connect"),
            Self::UserPass { .. } => f.write_str("UserPass"),
            Self::Apop { .. } => f.write_str("Apop"),
            Self::AuthStart { mechanism, .. } => write!(f, "AuthStart({mechanism})"),
            Self::AuthStep(step) => write!(f, "AuthStep({})", if step.is_some() { "…" } else { "None" }),
            Self::OpenMaildrop { login } => write!(f, "OpenMaildrop({login:?})"),
            Self::Message(wanted) => write!(f, "Message({wanted:?})"),
            Self::Commit { deleted } => write!(f, "Commit({deleted:?})"),
        }
    }
}

/// A message that the client wants. The driver opens it, writes [`Wanted::opening`], the message through
/// [`crate::stuff::DotWriter`] made with `lines`, and answers [`Answer::Sent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Message number, from 1.
    pub number: u32,
    /// Lines of the body (TOP); `None` for the whole message (RETR).
    pub lines: Option<u32>,
    /// Octets as LIST told them.
    pub octets: u64,
}

impl Wanted {
    /// The reply before the message.
    pub fn opening(&self) -> Reply {
        if self.lines.is_some() { replies::top_follows() } else { replies::message_follows(self.octets) }
    }
}

/// What the driver found out. An answer that does not fit its question ends the session.
#[derive(Debug)]
pub enum Answer {
    /// Yes; done.
    Proceed,
    /// AUTH goes on: this is the server's challenge, not yet in base64.
    AuthChallenge(Vec<u8>),
    /// The client is who it says.
    Authenticated {
        /// The account.
        login: String,
        /// The server's last word of the mechanism, if it has one.
        last: Option<Vec<u8>>,
    },
    /// It is not; counts towards the limit of failures.
    AuthFailed(Reply),
    /// The maildrop, locked.
    Maildrop(Arc<Listing>),
    /// The message was written, with its final `.`.
    Sent,
    /// No; the session goes on.
    Refuse(Reply),
    /// No; the session ends.
    RefuseAndClose(Reply),
}

enum State {
    /// Before the greeting.
    Start,
    Authorization {
        user: Option<Box<str>>,
    },
    /// A challenge was sent.
    Exchange,
    /// The server's last word was sent; an empty line is due.
    LastWord {
        login: String,
    },
    /// STLS was answered.
    AwaitTls,
    Transaction(Box<Transaction>),
    Closed,
}

struct Transaction {
    login: String,
    listing: Arc<Listing>,
    marks: Marks,
}

/// Which question is out, and what is needed to understand its answer.
enum Asked {
    Connect,
    Auth,
    /// The exchange is over; the reply is ready.
    AuthOver(Reply),
    Maildrop {
        login: String,
    },
    Message,
    Commit {
        messages: usize,
    },
}

/// A session. An idle one costs a few hundred octets and its listing.
pub struct Session {
    config: Arc<Config>,
    peer: Peer,
    state: State,
    asked: Option<Asked>,
    input: Vec<u8>,
    /// The rest of a line that was too long is being dropped.
    skipping: bool,
    utf8: bool,
    stopping: bool,
    errors: u32,
    /// Unknown commands so far; `None` once a command of ours has come.
    unknown_first: Option<u8>,
    failures: u32,
    began: Instant,
    last_command: Instant,
}

impl Session {
    /// A session that has said nothing yet.
    pub fn new(config: Arc<Config>, peer: Peer, now: Instant) -> Self {
        Self {
            config,
            peer,
            state: State::Start,
            asked: None,
            input: Vec::new(),
            skipping: false,
            utf8: false,
            stopping: false,
            errors: 0,
            unknown_first: Some(0),
            failures: 0,
            began: now,
            last_command: now,
        }
    }

    /// The first thing to call: asks whether the client may in.
    pub fn start(&mut self, out: &mut Vec<Output>) {
        if matches!(self.state, State::Start) && self.asked.is_none() {
            self.ask(Asked::Connect, Question::Connect, out);
        }
    }

    /// Takes one input and appends, in order, what the caller must do now.
    pub fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut Vec<Output>) {
        if self.is_closed() {
            return;
        }
        match input {
            Input::Bytes(bytes) => return self.take_bytes(bytes, now, out),
            Input::Answer(answer) => {
                self.last_command = now;
                self.take_answer(answer, out);
            }
            Input::TlsUp => self.tls_up(out),
            Input::Timeout => {
                if self.deadline().is_some_and(|deadline| deadline <= now) {
                    self.close(replies::idle(), out);
                }
            }
            Input::PeerGone => {
                self.state = State::Closed;
                out.push(Output::Close);
            }
            Input::Shutdown => self.stopping = true,
            Input::Cut if !matches!(self.state, State::Closed) => self.close(replies::session_cut(), out),
            Input::Cut => {}
        }
        let kept = std::mem::take(&mut self.input);
        self.take_bytes(&kept, now, out);
    }

    /// When [`Input::Timeout`] is due; `None` while a question is out, and at the end.
    pub fn deadline(&self) -> Option<Instant> {
        if self.asked.is_some() {
            return None;
        }
        match self.state {
            State::Closed => None,
            State::Transaction(_) => Some(self.last_command + self.config.limits.idle_timeout),
            _ => Some(self.began + self.config.limits.login_timeout),
        }
    }

    /// Who logged in and has the maildrop open.
    pub fn login(&self) -> Option<&str> {
        match &self.state {
            State::Transaction(transaction) => Some(&transaction.login),
            _ => None,
        }
    }

    /// Whether the client said UTF8 (RFC 6856).
    pub fn utf8(&self) -> bool {
        self.utf8
    }

    /// False while a question is out: the driver then leaves the client's octets in the socket.
    pub fn wants_bytes(&self) -> bool {
        self.asked.is_none() && !matches!(self.state, State::Start | State::AwaitTls | State::Closed)
    }

    /// Whether [`Output::Close`] was given.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Runs all whole commands of what was kept and what came; keeps the rest.
    fn take_bytes(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<Output>) {
        if self.input.is_empty() {
            let used = self.run(bytes, now, out);
            self.input = bytes[used..].to_vec();
        } else {
            let mut all = std::mem::take(&mut self.input);
            all.extend_from_slice(bytes);
            let used = self.run(&all, now, out);
            all.drain(..used);
            all.shrink_to_fit();
            self.input = all;
        }
        if matches!(self.state, State::AwaitTls) && !self.input.is_empty() {
            self.close(replies::bytes_behind_stls(), out);
        }
    }

    /// Runs whole lines until one asks a question; returns how many octets were used.
    fn run(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<Output>) -> usize {
        let mut used = 0;
        while self.wants_bytes() {
            if self.stopping {
                self.close(replies::shutting_down(), out);
                break;
            }
            let rest = &bytes[used..];
            if self.hangs_up(rest, out) {
                break;
            }
            let limit = self.line_octets_max(rest);
            let Some(end) = rest.iter().take(limit).position(|&octet| octet == b'\n') else {
                if rest.len() < limit {
                    break;
                }
                used += self.skip(rest, out);
                continue;
            };
            used += end + 1;
            self.last_command = now;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            if !std::mem::take(&mut self.skipping) {
                self.take_line(line, &rest[end + 1..], out);
            }
        }
        if self.is_closed() { bytes.len() } else { used }
    }

    /// Drops (a part of) a line that is too long, told once.
    fn skip(&mut self, rest: &[u8], out: &mut Vec<Output>) -> usize {
        if !std::mem::replace(&mut self.skipping, true) {
            if matches!(self.state, State::Exchange | State::LastWord { .. }) {
                self.state = State::Authorization { user: None };
            }
            self.too_long(rest, out);
        }
        rest.iter().position(|&octet| octet == b'\n').unwrap_or(rest.len())
    }

    fn line_octets_max(&self, line: &[u8]) -> usize {
        let limits = &self.config.limits;
        let is_auth = line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        if is_auth || matches!(self.state, State::Exchange | State::LastWord { .. }) {
            limits.auth_line_octets
        } else {
            limits.command_line_octets
        }
    }

    /// One line without its line end; `behind` is what the client sent after it already.
    fn take_line(&mut self, line: &[u8], behind: &[u8], out: &mut Vec<Output>) {
        match self.state {
            State::Exchange | State::LastWord { .. } => return self.auth_line(line, out),
            _ => {}
        }
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(Invalid::Unknown) => return self.unknown(line, out),
            Err(Invalid::Usage(usage)) => return self.error(replies::usage(usage), out),
        };
        self.unknown_first = None;
        match (&command, &self.state) {
            (Command::Capa, _) => {
                out.push(Output::Reply(replies::capabilities(&self.capabilities())));
            }
            (_, State::Transaction(_)) => self.transaction_command(&command, out),
            _ => self.authorization_command(&command, behind, out),
        }
    }

    fn take_answer(&mut self, answer: Answer, out: &mut Vec<Output>) {
        let Some(asked) = self.asked.take() else { return self.close(replies::internal_fault(), out) };
        match (asked, answer) {
            (Asked::AuthOver(reply), _) => self.auth_failed(reply, out),
            (_, Answer::RefuseAndClose(reply)) | (Asked::Connect | Asked::Commit { .. }, Answer::Refuse(reply)) => {
                self.close(reply, out);
            }
            (Asked::Connect, Answer::Proceed) => {
                self.state = State::Authorization { user: None };
                out.push(Output::Reply(replies::greeting(&self.config.software, self.peer.apop_banner.as_deref())));
            }
            (Asked::Commit { messages }, Answer::Proceed) => self.close(replies::bye_deleted(messages), out),
            (Asked::Message, Answer::Sent) => {}
            (Asked::Message, Answer::Refuse(reply)) => out.push(Output::Reply(reply)),
            (Asked::Maildrop { login }, Answer::Maildrop(listing)) => {
                out.push(Output::Reply(replies::maildrop_open(listing.messages(), listing.total_octets())));
                self.state = State::Transaction(Box::new(Transaction { login, listing, marks: Marks::default() }));
            }
            (Asked::Maildrop { .. }, Answer::Refuse(reply)) => {
                self.state = State::Authorization { user: None };
                out.push(Output::Reply(reply));
            }
            (Asked::Auth, answer) => self.auth_answer(answer, out),
            _ => self.close(replies::internal_fault(), out),
        }
    }

    /// Everything said in clear is forgotten (RFC 2595 §4).
    fn tls_up(&mut self, out: &mut Vec<Output>) {
        if !matches!(self.state, State::AwaitTls) {
            return self.close(replies::internal_fault(), out);
        }
        self.peer.tls = true;
        self.state = State::Authorization { user: None };
        self.utf8 = false;
    }

    fn ask(&mut self, asked: Asked, question: Question, out: &mut Vec<Output>) {
        self.asked = Some(asked);
        out.push(Output::Ask(question));
    }

    /// A reply to a client's mistake; too many of them end the session.
    fn error(&mut self, reply: Reply, out: &mut Vec<Output>) {
        self.errors += 1;
        out.push(Output::Reply(reply));
        if self.errors >= self.config.limits.errors {
            self.close(replies::too_many_errors(), out);
        }
    }

    fn close(&mut self, reply: Reply, out: &mut Vec<Output>) {
        out.push(Output::Reply(reply));
        out.push(Output::Close);
        self.state = State::Closed;
        self.input = Vec::new();
    }
}
