//! Answers what an SMTP session asks, and tells the log what became of it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guard::{Manner, Manners};
use smtp::replies;
use smtp::reply::Reply;
use smtp::server::{Answer, Helo, Question, XClient};
use state::Offence;
use tracing::{debug, info, warn};

use super::transaction::{Proof, Transaction};
use crate::away::explained;
use crate::border::Client;
use judge::auth::{Auth, Outcome};
use judge::{Case, Connected, Login, offence};
use listen::TlsFacts;

/// How long a client that waited for the greeting is greeted at once.
const PATIENCE: Duration = Duration::from_hours(24 * 30);

/// One session's side of the conversation. Small while nothing happens: what a login or a message needs is boxed.
pub(super) struct Answers {
    pub(super) client: Client,
    /// What is known of the client, after XCLIENT from a listed host.
    pub(super) case: Case,
    pub(super) helo: Option<Box<Helo>>,
    pub(super) transaction: Option<Box<Transaction>>,
    pub(super) tls: Option<Box<TlsFacts>>,
    auth: Option<Box<Auth>>,
    /// The client waited for the greeting.
    pub(super) has_waited: bool,
    begun: Instant,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    messages: u32,
    refused: u32,
}

impl Answers {
    /// The talk of a connection that has just begun.
    pub(super) fn new(client: Client, tls: Option<TlsFacts>) -> Self {
        let mut case = case(&client, client.ip);
        case.noted(if tls.is_some() { Manners::Tls } else { Manners::PlainText });
        Self {
            client,
            case,
            helo: None,
            transaction: None,
            tls: tls.map(Box::new),
            auth: None,
            has_waited: false,
            begun: Instant::now(),
            counts: Counts::default(),
        }
    }

    /// Ends the session from outside.
    pub(super) fn cut(&self) -> &listen::Cut {
        self.client.listed.cut()
    }

    /// How long the greeting is held back.
    pub(super) fn greet_pause(&self) -> Duration {
        self.client.listener.settings.greet_pause
    }

    /// Whether the client waited for a greeting lately. Where that cannot be asked, it waits again.
    pub(super) async fn is_patient(&self) -> bool {
        self.client.border.sources.state.is_patient(self.client.ip).await.unwrap_or(false)
    }

    /// Remembers a client that waited, introduced itself, and said nothing that no mail server says.
    pub(super) async fn remember_patience(&self) {
        if self.has_waited && self.helo.is_some() {
            let remembered = self.client.border.sources.state.has_waited(self.client.ip, PATIENCE).await;
            // Forgotten, it waits again.
            let _ =
                remembered.inspect_err(|error| debug!(session = %self.client.session, %error, "patience forgotten"));
        }
    }

    /// What a STARTTLS handshake shows.
    pub(super) fn tls_config(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.client.listener.tls.clone()
    }

    /// Something was seen of the client.
    pub(super) fn noted(&mut self, manners: Manners) {
        self.case.noted(manners);
    }

    /// TLS is up: nothing said before counts (RFC 3207 §4.2).
    pub(super) fn tls_up(&mut self, facts: TlsFacts) {
        self.tls = Some(Box::new(facts));
        self.case.secured();
        self.client.listed.begins_anew(self.ip());
        (self.helo, self.transaction, self.auth) = (None, None, None);
    }

    /// Counts what the client was told.
    pub(super) fn replied(&mut self, reply: &Reply) {
        self.counts.refused += u32::from(reply.is_permanent());
    }

    /// The next piece of the message.
    pub(super) async fn body(&mut self, piece: Vec<u8>) {
        if self.transaction.as_ref().is_some_and(|transaction| transaction.arriving.is_some()) {
            Box::pin(self.take_piece(piece)).await;
        }
    }

    /// The message that had begun will not be finished.
    pub(super) fn discard(&mut self) {
        self.case.end_transaction();
        self.transaction = None;
    }

    /// The client's address.
    pub(super) fn ip(&self) -> IpAddr {
        self.case.client().unwrap_or(self.client.ip)
    }

    /// Who logged in.
    pub(super) fn login(&self) -> Option<&str> {
        self.case.proved().map(|proved| proved.login.as_str())
    }

    /// The name of the device by which he did.
    pub(super) fn device(&self) -> Option<&str> {
        self.case.proved()?.identity.device.as_deref().map(|device| device.name.as_str())
    }

    /// Answers what needs no look-up, or gives the question back. `authenticated` is the session's word: a login that it did not
    /// conclude is none.
    #[expect(clippy::result_large_err, reason = "no error: the question goes on to who looks it up, by one move")]
    pub(super) fn at_once(
        &mut self,
        question: Question<Proof>,
        authenticated: bool,
    ) -> Result<Answer<Proof>, Question<Proof>> {
        if !authenticated {
            self.case.set_login(Login::Nobody);
        }
        match question {
            Question::Connect => Ok(Answer::Proceed),
            Question::Helo(helo) => {
                self.case.greeted(Some(helo.host.to_string()));
                self.helo = Some(Box::new(helo));
                self.transaction = None;
                Ok(Answer::Proceed)
            }
            Question::XClient(facts) => Ok(self.speak_for(&facts)),
            other => Err(other),
        }
    }

    /// Finds the answer to a question that needs one to be looked up. Each way is boxed by itself: an idle connection must not keep
    /// room for the largest, nor a small one be moved about with it.
    pub(super) async fn answer(&mut self, question: Question<Proof>) -> Answer<Proof> {
        match question {
            Question::AuthStart { mechanism, initial } => Box::pin(self.auth_start(mechanism, initial)).await,
            Question::AuthStep(response) => Box::pin(self.auth_step(response)).await,
            Question::Mail(mail) => Box::pin(self.judge_mail(mail)).await,
            Question::Rcpt(rcpt) => Box::pin(self.judge_rcpt(rcpt)).await,
            Question::Data { declared_size, .. } => Box::pin(self.begin_message(declared_size)).await,
            Question::Message(envelope, last) => {
                let answer = Box::pin(self.take_message(envelope, last)).await;
                self.counts.messages += u32::from(matches!(answer, Answer::Accepted(_)));
                answer
            }
            // Answered at once.
            Question::Connect | Question::Helo(_) | Question::XClient(_) => Answer::Refuse(replies::internal_fault()),
        }
    }

    /// A listed proxy says for whom it speaks: a new client, of whom nothing is known (T7).
    fn speak_for(&mut self, facts: &XClient) -> Answer<Proof> {
        // Without an address the client would have the rights of the proxy itself, or of the one before it.
        let Some(ip) = facts.addr else { return Answer::Refuse(replies::bad_xclient()) };
        self.case = case(&self.client, ip);
        self.client.listed.begins_anew(ip);
        (self.helo, self.transaction, self.auth) = (None, None, None);
        info!(session = %self.client.session, client = %self.ip(), proxy = %self.client.peer, "xclient");
        Answer::Proceed
    }

    async fn auth_start(&mut self, mechanism: &'static str, initial: Option<Vec<u8>>) -> Answer<Proof> {
        let Some(mechanism) = sasl::Mechanism::parse(mechanism) else {
            return Answer::Refuse(replies::mechanism_unknown());
        };
        let binding = self.tls.as_ref().and_then(|tls| tls.exporter);
        let origin = self.client.origin(self.ip());
        let Ok(auth) = Auth::new(&self.client.site.settings, origin, mechanism, binding) else {
            return Answer::Refuse(replies::auth_unavailable());
        };
        let mut auth = Box::new(auth);
        let outcome = auth.start(initial.as_deref()).await;
        self.auth = Some(auth);
        self.conclude(outcome)
    }

    async fn auth_step(&mut self, response: Option<Vec<u8>>) -> Answer<Proof> {
        match (self.auth.take(), response) {
            (Some(mut auth), Some(response)) => {
                let outcome = auth.respond(&response).await;
                self.auth = Some(auth);
                self.conclude(outcome)
            }
            // Cancelled, or no base64: the session has its own reply.
            _ => Answer::AuthFailed(replies::auth_cancelled()),
        }
    }

    fn conclude(&mut self, outcome: Outcome) -> Answer<Proof> {
        if let Outcome::Challenge(octets) = outcome {
            return Answer::AuthChallenge(octets);
        }
        self.auth = None;
        outcome.count(keep::tally::LoginAt::Smtp);
        match outcome {
            Outcome::Proved(proved, last) => {
                let login = proved.login.clone();
                self.client.listed.logged_in(&proved.identity);
                self.case.set_login(Login::Proved(Box::new(proved)));
                Answer::Authenticated { login, last }
            }
            Outcome::Malformed => Answer::AuthFailed(replies::bad_base64()),
            Outcome::Throttled(id) => Answer::AuthFailed(explained(replies::auth_throttled(), id)),
            Outcome::Unavailable => Answer::Refuse(replies::auth_unavailable()),
            Outcome::Denied(id) => Answer::AuthFailed(explained(replies::auth_failed(), id)),
            Outcome::Challenge(_) => Answer::AuthFailed(replies::auth_failed()),
        }
    }

    /// AUTH was tried so often where it is not offered: whoever guesses here is slowed down where it is (T16).
    pub(super) async fn tried_to_log_in(&self, times: u32) {
        for _ in 0..times {
            if let Err(error) = self.client.border.sources.state.auth_abused(self.ip()).await {
                warn!(session = %self.client.session, %error, "login uncounted");
            }
        }
    }

    /// What an honest client seldom does, once somebody has logged in forgiven.
    pub(super) async fn offended(&self, offence: Offence, times: u32) {
        if times > 0 && self.case.proved().is_none() {
            let client = offence::Client {
                session: self.client.session,
                listener: &self.client.listener.settings.name,
                addr: self.ip(),
            };
            offence::count(&self.client.border.sources, client, offence, times).await;
        }
    }

    /// The session is over; one line tells its fate.
    pub(super) fn ended(&self, error: Option<&io::Error>) {
        let Counts { messages, refused } = self.counts;
        info!(
            session = %self.client.session,
            listener = &*self.client.listener.settings.name,
            client = %self.ip(),
            login = self.login(),
            messages,
            refused,
            millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            cause = self.cut().cause().map(str::to_owned).or_else(|| error.map(listen::cause)),
            "disconnected"
        );
    }
}

fn case(client: &Client, ip: IpAddr) -> Case {
    let (session, listener) = (client.session, Arc::clone(&client.listener.settings.name));
    Case::new(Connected { client: Some(ip), session, listener }, Manner::OWN)
}
