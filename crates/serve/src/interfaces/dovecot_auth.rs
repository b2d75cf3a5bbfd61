//! SMTP AUTH of Postfix and Exim from our accounts, and logins that other POP servers let us check.
//!
//! Each exchange is a task of its own, so that the delay after a failure holds up nobody else. Postfix and Exim take every
//! `FAIL` for a wrong password; where the accounts could not be asked the connection is closed, which they take for a
//! temporary failure.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use directory::SecretsKept;
use guard::{PopSource, Subject};
use mta::dovecot_auth::{Auth as Asked, Decoder, Event, Failure, Handshake, Mechanism, REQUESTS_MAX, Reply, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Connection, InForce, Served};
use crate::site::is_usable;
use config::Settings;
use judge::auth::{Auth, Outcome, Proved};
use judge::evidence::ToldLogin;
use listen::Link;

/// How long a client may think about a challenge. Postfix does not tell us when its client gave up.
const RESPONSE_WAIT: Duration = Duration::from_mins(2);
/// How long a mail server may leave our answers unread.
const ANSWER_WAIT: Duration = Duration::from_mins(2);
/// Exchanges that run, cancelled ones too.
const TASKS_MAX: usize = 2 * REQUESTS_MAX;
/// Answers on their way to the mail server.
const ANSWERS_WAITING: usize = 64;
/// Where a login comes from whose client the mail server does not tell: from nobody's address. Counted for the mail server's
/// own, or for loopback behind a Unix socket, guesses of strangers would lock out who really comes from there, and its rights
/// would be theirs.
const UNKNOWN_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// One read, in octets.
const READ_OCTETS: usize = 8192;

/// What an exchange has to say.
struct Said {
    /// Which of the connection's exchanges: its id may be another's by now.
    serial: u64,
    what: Word,
}

enum Word {
    /// A line; the exchange goes on.
    Line(Vec<u8>),
    /// Its last line.
    Last(Vec<u8>),
    /// The accounts cannot be asked: the connection is to be closed.
    Unavailable,
}

/// Serves one connection.
pub async fn serve(connection: &Connection, stream: Link) -> Served {
    let (reader, mut writer) = tokio::io::split(stream);
    let kept = connection.border.sources.directory.secrets_kept().await;
    writer.write_all(&handshake(connection, kept)?).await?;
    let (answers, mut answered) = mpsc::channel(ANSWERS_WAITING);
    let exchanges = HashMap::new();
    let mut conversation = Conversation { connection, answers, exchanges, tasks: JoinSet::new(), serial: 0 };
    let ended = conversation.hold(reader, writer, &mut answered).await;
    drop(answered);
    // A guess that is being looked at is counted also when nobody waits for the answer any more.
    conversation.exchanges.clear();
    while conversation.tasks.join_next().await.is_some() {}
    ended
}

fn handshake(connection: &Connection, kept: SecretsKept) -> io::Result<Vec<u8>> {
    let Some(InForce { terms, .. }) = connection.in_force() else { return Err(gone()) };
    let mut cookie = [0; 16];
    getrandom::fill(&mut cookie).map_err(io::Error::other)?;
    let connection = connection.session.low_bits();
    let mut lines = Vec::new();
    let usable = |name: &str| sasl::Mechanism::parse(name).is_some_and(|mechanism| is_usable(mechanism, kept));
    let mut mechanisms = offered(&terms.settings);
    mechanisms.retain(|mechanism| usable(mechanism.name));
    Handshake { mechanisms: &mechanisms, pid: std::process::id(), connection, cookie }.write_to(&mut lines);
    Ok(lines)
}

fn gone() -> io::Error {
    io::Error::other("the listener is in the configuration no more")
}

/// What this interface offers, in the order of strength. Channel binding is between the client and its own server.
fn offered(settings: &Settings) -> Vec<Mechanism> {
    let known = [Mechanism::SCRAM_SHA_256, Mechanism::CRAM_MD5, Mechanism::PLAIN, Mechanism::LOGIN];
    known.into_iter().filter(|mechanism| settings.auth.mechanisms.iter().any(|name| name == mechanism.name)).collect()
}

/// The exchanges of one connection.
struct Conversation<'v> {
    connection: &'v Connection,
    answers: mpsc::Sender<Said>,
    /// By the client's ids.
    exchanges: HashMap<u32, UnderWay>,
    /// All that run, those too that were cancelled and have an account asked just now.
    tasks: JoinSet<()>,
    /// Counts the exchanges.
    serial: u64,
}

struct UnderWay {
    serial: u64,
    responses: mpsc::Sender<Secret>,
}

impl Conversation<'_> {
    async fn hold(
        &mut self,
        mut reader: ReadHalf<Link>,
        mut writer: WriteHalf<Link>,
        answered: &mut mpsc::Receiver<Said>,
    ) -> Served {
        let mut decoder = Decoder::default();
        let mut buffer = vec![0; READ_OCTETS];
        loop {
            let mut lines = Vec::new();
            tokio::select! {
                read = reader.read(&mut buffer) => match read? {
                    0 => return Ok(()),
                    octets => {
                        decoder.push(&buffer[..octets]);
                        // Other clients' passwords may have been in it.
                        buffer[..octets].fill(0);
                        while let Some(event) = decoder.next_event().map_err(io::Error::other)? {
                            self.take(event, &mut lines)?;
                        }
                    }
                },
                Some(said) = answered.recv() => {
                    if !self.pass_on(said, &mut lines) {
                        return Ok(());
                    }
                }
                // Whose exchange panicked gets no answer but the end.
                Some(ended) = self.tasks.join_next() => ended.map_err(io::Error::other)?,
            }
            if !lines.is_empty() {
                let written = tokio::time::timeout(ANSWER_WAIT, writer.write_all(&lines)).await;
                written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            }
        }
    }

    /// Passes on what an exchange says, if its id is still its own; `false`: the connection is to be closed.
    fn pass_on(&mut self, Said { serial, what }: Said, lines: &mut Vec<u8>) -> bool {
        let Some(id) = self.exchanges.iter().find(|(_, one)| one.serial == serial).map(|(id, _)| *id) else {
            return true;
        };
        match what {
            Word::Line(line) => lines.extend(line),
            Word::Last(line) => {
                self.exchanges.remove(&id);
                lines.extend(line);
            }
            Word::Unavailable => return false,
        }
        true
    }

    /// Passes an event on to its exchange; appends what is to be said at once.
    fn take(&mut self, event: Event, lines: &mut Vec<u8>) -> io::Result<()> {
        match event {
            Event::Hello { .. } => {}
            Event::Auth(asked) => self.begin(*asked, lines)?,
            Event::Cont { id, response } => {
                // A second response to one challenge has no place: the exchange is over for it.
                let passed = self.exchanges.get(&id).is_some_and(|one| one.responses.try_send(response).is_ok());
                if !passed {
                    self.exchanges.remove(&id);
                    lines.extend(failed(id));
                }
            }
            Event::Cancel { id } => {
                self.exchanges.remove(&id);
            }
            Event::Malformed { id, .. } => {
                self.exchanges.remove(&id);
                lines.extend(failed(id));
            }
        }
        Ok(())
    }

    fn begin(&mut self, asked: Asked, lines: &mut Vec<u8>) -> io::Result<()> {
        let (id, Some(InForce { terms, .. })) = (asked.id, self.connection.in_force()) else { return Err(gone()) };
        if self.exchanges.contains_key(&id) {
            return Err(io::Error::other("a request has the id of one that is under way"));
        }
        let mechanism = offered(&terms.settings)
            .iter()
            .find(|offered| offered.name == asked.mechanism)
            .and_then(|offered| sasl::Mechanism::parse(offered.name));
        let (Some(mechanism), true) = (mechanism, self.tasks.len() < TASKS_MAX) else {
            lines.extend(failed(id));
            return Ok(());
        };
        lines.extend(self.make_room().map(failed).unwrap_or_default());
        let client = asked.remote_ip.map_or(UNKNOWN_CLIENT, guard::canonical_ip);
        let auth =
            Auth::new(&terms.settings, self.connection.origin(client), mechanism, None).map_err(io::Error::other)?;
        let (responses, awaited) = mpsc::channel(1);
        self.serial += 1;
        self.exchanges.insert(id, UnderWay { serial: self.serial, responses });
        let exchange = Exchange {
            connection: self.connection.clone(),
            client: asked.remote_ip.map(guard::canonical_ip),
            asked,
            serial: self.serial,
            answers: self.answers.clone(),
            awaited,
        };
        self.tasks.spawn(exchange.run(auth));
        Ok(())
    }

    /// Gives up the oldest exchange where there are too many: Postfix forgets those that its client breaks off. Its id.
    fn make_room(&mut self) -> Option<u32> {
        if self.exchanges.len() < REQUESTS_MAX {
            return None;
        }
        let oldest = self.exchanges.iter().min_by_key(|(_, one)| one.serial).map(|(id, _)| *id)?;
        self.exchanges.remove(&oldest);
        Some(oldest)
    }
}

/// One login on its way.
struct Exchange {
    connection: Connection,
    /// Where the login comes from, if the mail server says so.
    client: Option<IpAddr>,
    asked: Asked,
    serial: u64,
    answers: mpsc::Sender<Said>,
    awaited: mpsc::Receiver<Secret>,
}

impl Exchange {
    async fn run(mut self, mut auth: Auth) {
        let initial = self.asked.initial_response.take();
        let mut outcome = auth.start(initial.as_deref()).await;
        let last = loop {
            match outcome {
                Outcome::Challenge(challenge) => {
                    self.challenge(&challenge).await;
                    let Some(response) = self.response().await else { return };
                    outcome = auth.respond(&response).await;
                }
                Outcome::Proved(proved, last) => break self.proved(&proved, last).await,
                Outcome::Unavailable => return self.say(Word::Unavailable).await,
                Outcome::Denied(_) | Outcome::Malformed | Outcome::Throttled(_) => break Some(failed(self.asked.id)),
            }
        };
        if let Some(line) = last {
            self.say(Word::Last(line)).await;
        }
    }

    async fn say(&self, what: Word) {
        // A peer that is gone needs no answer.
        let _ = self.answers.send(Said { serial: self.serial, what }).await;
    }

    async fn challenge(&self, challenge: &[u8]) {
        let mut line = Vec::new();
        Reply::Cont { id: self.asked.id, challenge }.write_to(&mut line);
        self.say(Word::Line(line)).await;
    }

    /// `None`: given up, or too late.
    async fn response(&mut self) -> Option<Secret> {
        if let Ok(response) = tokio::time::timeout(RESPONSE_WAIT, self.awaited.recv()).await {
            return response;
        }
        self.say(Word::Last(failed(self.asked.id))).await;
        None
    }

    async fn proved(&mut self, proved: &Proved, last: Option<Vec<u8>>) -> Option<Vec<u8>> {
        if let Some(last) = last {
            // The server's proof of SCRAM; the client answers nothing to it.
            self.challenge(&last).await;
            self.response().await?;
        }
        let home = self.mailbox_login(proved).await;
        let fields: Vec<(&str, &str)> = home.as_deref().map(|home| ("home", home)).into_iter().collect();
        // The mail server asks us again by this name: a device that has limits must keep them there.
        let device = proved.identity.device.as_deref().filter(|_| home.is_none() && proved.is_bounded());
        let user = device.map_or(proved.login.as_str(), |device| device.login.as_str());
        let mut line = Vec::new();
        Reply::Ok { id: self.asked.id, user, fields: &fields }.write_to(&mut line);
        Some(line)
    }

    /// A login to a mailbox counts as a POP login. Where the mailbox lies is told to whoever opens it.
    async fn mailbox_login(&self, proved: &Proved) -> Option<String> {
        let terms = Arc::clone(&self.connection.border.site.load().terms);
        if self.asked.no_login || !matches!(self.asked.service.as_str(), "pop3" | "imap") {
            return None;
        }
        if let Some(client) = self.client.filter(|_| !proved.is_bounded()) {
            let subject = Subject::Account(proved.login.clone());
            let told =
                ToldLogin { client, subject, source: PopSource::DovecotAuth, proved: Some(proved.identity.clone()) };
            self.connection.recorder(&terms).record(&told).await;
        }
        tracing::debug!(session = %self.connection.session, listener = &*self.connection.listener, login = %proved.login, "mailbox login");
        let maildir = terms.settings.delivery.maildir_root.join(&*proved.identity.maildir);
        // Another program's working directory is another.
        std::path::absolute(&maildir).unwrap_or(maildir).to_str().map(str::to_owned)
    }
}

fn failed(id: u32) -> Vec<u8> {
    let mut line = Vec::new();
    Reply::Fail { id, user: None, failure: Failure::Credentials, reason: None }.write_to(&mut line);
    line
}
