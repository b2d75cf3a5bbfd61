//! Answers what a POP3 session asks, records the login as evidence for the guard, and tells the log what became of it.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use guard::never_granted::Named;
use guard::{Fact, PopSource, Subject};
use keep::tally::{COUNTED, LoginAt};
use pop3::{Answer, Question, Reply, Secret, replies};
use sasl::Mechanism;
use tracing::info;

use super::maildrop::{OpenMaildrop, Piece};
use crate::border::Client;
use judge::auth::{Auth, Origin, Outcome, Proved};
use judge::evidence::{Recorder, ToldLogin};
use listen::TlsFacts;

/// One session's side of the conversation.
pub(super) struct Answers {
    client: Client,
    tls: Option<Box<TlsFacts>>,
    auth: Option<Box<Auth>>,
    proved: Option<Box<Proved>>,
    maildrop: Option<OpenMaildrop>,
    begun: Instant,
    sent: u32,
    deleted: usize,
}

impl Answers {
    /// The talk of a connection that has just begun.
    pub(super) fn new(client: Client, tls: Option<TlsFacts>) -> Self {
        Self {
            client,
            tls: tls.map(Box::new),
            auth: None,
            proved: None,
            maildrop: None,
            begun: Instant::now(),
            sent: 0,
            deleted: 0,
        }
    }

    /// Ends the session from outside.
    pub(super) fn cut(&self) -> &listen::Cut {
        self.client.listed.cut()
    }

    /// What an STLS handshake shows.
    pub(super) fn tls_config(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.client.listener.tls.clone()
    }

    /// TLS is up: nothing said before counts.
    pub(super) fn tls_up(&mut self, facts: TlsFacts) {
        self.tls = Some(Box::new(facts));
        (self.auth, self.proved) = (None, None);
    }

    /// Finds the answer to one question; messages are the driver's.
    pub(super) async fn answer(&mut self, question: Question) -> Answer {
        let asked = Instant::now();
        match question {
            Question::Connect => Answer::Proceed,
            Question::UserPass { user, pass } => {
                let outcome = self.origin().by_password(&user, &pass, "USER").await;
                COUNTED.pop3_login.took(asked.elapsed());
                self.conclude(outcome)
            }
            Question::Apop { user, digest, banner } => {
                let outcome = self.origin().by_apop(&user, &banner, &digest).await;
                COUNTED.pop3_login.took(asked.elapsed());
                self.conclude(outcome)
            }
            Question::AuthStart { mechanism, initial } => self.auth_start(mechanism, initial).await,
            Question::AuthStep(response) => self.auth_step(response).await,
            Question::OpenMaildrop { login } => self.open(&login).await,
            Question::Message(_) => Answer::Refuse(replies::internal_fault()),
            Question::Commit { deleted } => self.commit(deleted).await,
        }
    }

    fn origin(&self) -> Origin {
        self.client.origin(self.client.ip)
    }

    async fn auth_start(&mut self, mechanism: &'static str, initial: Option<Secret>) -> Answer {
        let Some(mechanism) = Mechanism::parse(mechanism) else { return Answer::Refuse(replies::no_such_mechanism()) };
        let binding = self.tls.as_ref().and_then(|tls| tls.exporter);
        let Ok(auth) = Auth::new(&self.client.site.settings, self.origin(), mechanism, binding) else {
            return Answer::Refuse(replies::auth_unavailable());
        };
        let mut auth = Box::new(auth);
        let outcome = auth.start(initial.as_deref()).await;
        self.auth = Some(auth);
        self.conclude(outcome)
    }

    async fn auth_step(&mut self, response: Option<Secret>) -> Answer {
        match (self.auth.take(), response) {
            (Some(mut auth), Some(response)) => {
                let outcome = auth.respond(&response).await;
                self.auth = Some(auth);
                self.conclude(outcome)
            }
            _ => Answer::AuthFailed(replies::auth_cancelled()),
        }
    }

    fn conclude(&mut self, outcome: Outcome) -> Answer {
        if let Outcome::Challenge(octets) = outcome {
            return Answer::AuthChallenge(octets);
        }
        self.auth = None;
        outcome.count(LoginAt::Pop3);
        match outcome {
            Outcome::Proved(proved, last) => {
                let login = proved.login.clone();
                self.client.listed.logged_in(&proved.identity);
                self.proved = Some(Box::new(proved));
                Answer::Authenticated { login, last }
            }
            Outcome::Malformed => Answer::AuthFailed(replies::not_base64()),
            Outcome::Throttled(_) => Answer::AuthFailed(replies::login_delayed()),
            Outcome::Unavailable => Answer::Refuse(replies::auth_unavailable()),
            Outcome::Challenge(_) | Outcome::Denied(_) => Answer::AuthFailed(replies::auth_failed()),
        }
    }

    /// The login is concluded: it is evidence for POP-before-SMTP, and its maildrop is opened.
    async fn open(&mut self, login: &str) -> Answer {
        let Some(proved) = self.proved.as_deref().filter(|proved| proved.login == login) else {
            return Answer::Refuse(replies::internal_fault());
        };
        // Between the proof and now the account may have become another.
        if let Fact::Known(Err(_)) = proved.still(&self.client.border.sources, Some(self.client.ip)).await {
            return Answer::Refuse(replies::auth_failed());
        }
        let root = &self.client.site.settings.delivery.maildir_root;
        let maildir = root.join(&*proved.identity.maildir);
        self.record(proved).await;
        match OpenMaildrop::open(self.client.border.sources.files.clone(), maildir).await {
            Ok((maildrop, listing)) => {
                self.maildrop = Some(maildrop);
                Answer::Maildrop(Arc::new(listing))
            }
            Err(reply) => Answer::Refuse(reply),
        }
    }

    async fn record(&self, proved: &Proved) {
        if proved.is_bounded() {
            return;
        }
        let subject = Subject::Account(proved.login.clone());
        let told = ToldLogin {
            client: self.client.ip,
            subject,
            source: PopSource::Pop3,
            proved: Some(proved.identity.clone()),
        };
        let (sources, terms) = (&self.client.border.sources, &self.client.site.terms);
        let named = if self.client.ip == self.client.peer { Named::Otherwise } else { Named::ByProxy };
        Recorder { sources, terms, session: self.client.session }.record_named(&told, named).await;
    }

    /// Message `number` from its beginning.
    pub(super) async fn open_message(&mut self, number: u32) -> Result<Piece, Reply> {
        let Some(maildrop) = &mut self.maildrop else { return Err(replies::internal_fault()) };
        let piece = maildrop.message(number).await?;
        self.sent += 1;
        Ok(piece)
    }

    /// The next part of a message.
    pub(super) async fn read_on(&self, rest: std::fs::File) -> io::Result<Piece> {
        Piece::read(&self.client.border.sources.files, rest).await
    }

    async fn commit(&mut self, deleted: Vec<u32>) -> Answer {
        let Some(maildrop) = self.maildrop.take() else { return Answer::Refuse(replies::internal_fault()) };
        let count = deleted.len();
        match maildrop.commit(deleted).await {
            Ok(()) => {
                self.deleted = count;
                Answer::Proceed
            }
            Err(reply) => Answer::Refuse(reply),
        }
    }

    /// Lets the maildrop go.
    pub(super) fn release(&mut self) {
        self.maildrop = None;
    }

    /// The session is over; one line tells its fate.
    pub(super) fn ended(&self, error: Option<&io::Error>) {
        info!(
            session = %self.client.session,
            listener = &*self.client.listener.settings.name,
            client = %self.client.ip,
            login = self.proved.as_ref().map(|proved| proved.login.as_str()),
            retrieved = self.sent,
            deleted = self.deleted,
            millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            cause = self.cut().cause().map(str::to_owned).or_else(|| error.map(listen::cause)),
            "disconnected"
        );
    }
}
