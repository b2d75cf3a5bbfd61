//! SMTP AUTH of Postfix and Exim from our accounts, and logins that other POP servers let us check.
//!
//! Each exchange is a task of its own, so that the delay after a failure holds up nobody else. Postfix and Exim take every
//! `FAIL` for a wrong password; where the accounts could not be asked the connection is closed, which they take for a
//! temporary failure.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use guard::{PopSource, Subject};
use interop::dovecot_auth::{
    Auth as Asked, Decoder, Event, Failure, Handshake, Mechanism, REQUESTS_MAX, Reply, Secret,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::{Served, Visit};
use crate::config::Settings;
use crate::listen::Link;
use crate::serve::auth::{Auth, Origin, Outcome, Proved};
use crate::serve::border::{Border, SessionId};
use crate::serve::evidence::{self, Told};

/// How long a client may think about a challenge. Postfix does not tell us when its client gave up.
const RESPONSE_WAIT: Duration = Duration::from_mins(2);
/// Answers on their way to the mail server.
const ANSWERS_WAITING: usize = 64;
/// One read, in octets.
const READ_OCTETS: usize = 8192;

/// What an exchange has to say.
enum Said {
    /// A line.
    Line(Vec<u8>),
    /// The accounts cannot be asked: the connection is to be closed.
    Unavailable,
    /// The exchange of this id is over, with its last line.
    Over(u32, Vec<u8>),
}

/// Serves one connection.
pub async fn serve(visit: &Visit, stream: Link) -> Served {
    let Some((site, _)) = visit.site() else { return Ok(()) };
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut cookie = [0; 16];
    getrandom::fill(&mut cookie).map_err(io::Error::other)?;
    let mut line = Vec::new();
    let connection = visit.border.sessions.load(std::sync::atomic::Ordering::Relaxed);
    let connection = u32::try_from(connection & u64::from(u32::MAX)).unwrap_or_default();
    let mechanisms = offered(&site.settings);
    Handshake { mechanisms: &mechanisms, pid: std::process::id(), connection, cookie }.write_to(&mut line);
    writer.write_all(&line).await?;
    let (answers, mut answered) = mpsc::channel(ANSWERS_WAITING);
    let mut conversation = Conversation { visit, answers, exchanges: HashMap::new() };
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; READ_OCTETS];
    loop {
        tokio::select! {
            read = reader.read(&mut buffer) => match read? {
                0 => return Ok(()),
                octets => {
                    decoder.push(&buffer[..octets]);
                    // Other clients' passwords may have been in it.
                    buffer[..octets].fill(0);
                    while let Some(event) = decoder.next_event().map_err(io::Error::other)? {
                        if let Some(line) = conversation.take(event) {
                            writer.write_all(&line).await?;
                        }
                    }
                }
            },
            Some(said) = answered.recv() => match said {
                Said::Line(line) => writer.write_all(&line).await?,
                Said::Over(id, line) => {
                    conversation.exchanges.remove(&id);
                    writer.write_all(&line).await?;
                }
                Said::Unavailable => return Ok(()),
            },
        }
    }
}

/// What this interface offers, in the order of strength. Channel binding is between the client and its own server.
fn offered(settings: &Settings) -> Vec<Mechanism> {
    let known = [Mechanism::SCRAM_SHA_256, Mechanism::CRAM_MD5, Mechanism::PLAIN, Mechanism::LOGIN];
    known.into_iter().filter(|mechanism| settings.auth.mechanisms.iter().any(|name| name == mechanism.name)).collect()
}

/// The exchanges of one connection.
struct Conversation<'v> {
    visit: &'v Visit,
    answers: mpsc::Sender<Said>,
    exchanges: HashMap<u32, mpsc::Sender<Secret>>,
}

impl Conversation<'_> {
    /// Passes an event on to its exchange; the line to send at once, if there is one.
    fn take(&mut self, event: Event) -> Option<Vec<u8>> {
        match event {
            Event::Hello { .. } => None,
            Event::Auth(asked) => self.begin(*asked),
            Event::Cont { id, response } => {
                // A second response to one challenge has no place: the exchange is over for it.
                let passed = self.exchanges.get(&id).is_some_and(|exchange| exchange.try_send(response).is_ok());
                if passed {
                    return None;
                }
                self.exchanges.remove(&id);
                Some(failed(id))
            }
            Event::Cancel { id } => {
                self.exchanges.remove(&id);
                None
            }
            Event::Malformed { id, .. } => {
                self.exchanges.remove(&id);
                Some(failed(id))
            }
        }
    }

    fn begin(&mut self, asked: Asked) -> Option<Vec<u8>> {
        let id = asked.id;
        let (site, _) = self.visit.site()?;
        self.exchanges.retain(|_, exchange| !exchange.is_closed());
        let mechanism = offered(&site.settings)
            .iter()
            .find(|offered| offered.name == asked.mechanism)
            .and_then(|offered| sasl::Mechanism::parse(offered.name));
        let (Some(mechanism), true) = (mechanism, self.exchanges.len() < REQUESTS_MAX) else { return Some(failed(id)) };
        let client = guard::canonical_ip(asked.remote_ip.unwrap_or(self.visit.peer));
        let origin = Origin::beside(&self.visit.border, self.visit.session, (&self.visit.listener, client));
        let Ok(auth) = Auth::new(&site.settings, origin, (mechanism, None)) else { return Some(failed(id)) };
        let (responses, awaited) = mpsc::channel(1);
        self.exchanges.insert(id, responses);
        let exchange = Exchange {
            border: Arc::clone(&self.visit.border),
            listener: Arc::clone(&self.visit.listener),
            session: self.visit.session,
            client: asked.remote_ip.map(guard::canonical_ip),
            asked,
            answers: self.answers.clone(),
            awaited,
        };
        tokio::spawn(exchange.run(auth));
        None
    }
}

/// One login on its way.
struct Exchange {
    border: Arc<Border>,
    listener: Arc<str>,
    session: SessionId,
    /// Where the login comes from, if the mail server says so.
    client: Option<IpAddr>,
    asked: Asked,
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
                    self.say(&challenge).await;
                    let Some(response) = self.response().await else { return };
                    outcome = auth.respond(&response).await;
                }
                Outcome::Proved(proved, last) => break self.proved(&proved, last).await,
                Outcome::Unavailable => {
                    // A peer that is gone needs no answer.
                    let _ = self.answers.send(Said::Unavailable).await;
                    return;
                }
                Outcome::Denied | Outcome::Malformed | Outcome::Throttled => break Some(failed(self.asked.id)),
            }
        };
        if let Some(line) = last {
            let _ = self.answers.send(Said::Over(self.asked.id, line)).await;
        }
    }

    async fn say(&self, challenge: &[u8]) {
        let mut line = Vec::new();
        Reply::Cont { id: self.asked.id, challenge }.write_to(&mut line);
        let _ = self.answers.send(Said::Line(line)).await;
    }

    /// `None`: given up, or too late.
    async fn response(&mut self) -> Option<Secret> {
        if let Ok(response) = tokio::time::timeout(RESPONSE_WAIT, self.awaited.recv()).await {
            return response;
        }
        let _ = self.answers.send(Said::Over(self.asked.id, failed(self.asked.id))).await;
        None
    }

    async fn proved(&mut self, proved: &Proved, last: Option<Vec<u8>>) -> Option<Vec<u8>> {
        if let Some(last) = last {
            // The server's proof of SCRAM; the client answers nothing to it.
            self.say(&last).await;
            self.response().await?;
        }
        let home = self.mailbox_login(proved).await;
        let fields: Vec<(&str, &str)> = home.as_deref().map(|home| ("home", home)).into_iter().collect();
        let mut line = Vec::new();
        Reply::Ok { id: self.asked.id, user: &proved.login, fields: &fields }.write_to(&mut line);
        Some(line)
    }

    /// A login to a mailbox counts as a POP login. Where the mailbox lies is told to whoever opens it.
    async fn mailbox_login(&self, proved: &Proved) -> Option<String> {
        let site = self.border.site.load_full();
        if self.asked.no_login() || !matches!(self.asked.service.as_str(), "pop3" | "imap") {
            return None;
        }
        if let Some(client) = self.client.filter(|_| !proved.is_bounded()) {
            let subject = Subject::Account(proved.login.clone());
            let told = Told { client, subject, source: PopSource::DovecotAuth };
            evidence::record(&self.border, &site, (self.session, told)).await;
        }
        tracing::debug!(session = %self.session, listener = &*self.listener, login = %proved.login, "mailbox login");
        Some(site.settings.delivery.maildir_root.join(&*proved.identity.maildir).display().to_string())
    }
}

fn failed(id: u32) -> Vec<u8> {
    let mut line = Vec::new();
    Reply::Fail { id, user: None, failure: Failure::Credentials, reason: None }.write_to(&mut line);
    line
}
