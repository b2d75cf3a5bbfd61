//! Drives one SMTP session: reads, lets the session decide, looks up what it asks, writes. Decides nothing itself.

use std::io;
use std::time::Instant;

use guard::Manners;
use smtp::server::{Input, Output, Question, Session};
use state::Offence;

use super::answers::Answers;
use super::transaction::Proof;
use listen::{Heard, Wire};

/// A session with its connection.
pub(super) struct Driver {
    wire: Wire,
    session: Session<Proof>,
    answers: Answers,
    due: Vec<Output<Proof>>,
}

/// What a step of the session left to do.
enum Next {
    Wait,
    End,
}

impl Driver {
    /// A driver for a connection that has just come in (with TLS up already where the listener speaks it at once).
    pub(super) fn new(wire: Wire, session: Session<Proof>, answers: Answers) -> Self {
        Self { wire, session, answers, due: Vec::new() }
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self) {
        self.session.start(Instant::now(), &mut self.due);
        // An error is the peer's going away; the session learns it and nothing is half done.
        let ended = self.converse().await;
        if ended.is_err() {
            self.session.handle(Input::PeerGone, Instant::now(), &mut self.due);
        }
        self.answers.tried_to_log_in(self.session.auth_not_offered()).await;
        self.answers.offended(Offence::UnknownCommand, self.session.unknown_commands()).await;
        self.answers.offended(Offence::OtherProtocol, self.session.spoke_other_protocol()).await;
        if self.session.unknown_commands() == 0 && self.session.spoke_other_protocol() == 0 {
            self.answers.remember_patience().await;
        }
        self.answers.ended(ended.err().as_ref());
        if self.answers.cut().cause().is_some() {
            // Nobody waits for it but the peer.
            tokio::spawn(self.wire.finish_unasked());
        } else {
            self.wire.finish().await;
        }
    }

    async fn converse(&mut self) -> io::Result<()> {
        if !self.answers.greet_pause().is_zero() && !self.answers.is_patient().await {
            Box::pin(self.wait_to_greet()).await?;
        }
        while let Next::Wait = self.act().await? {
            let (session, due) = (&mut self.session, &mut self.due);
            let deadline = session.deadline();
            let take = |octets: &[u8]| session.handle(Input::Bytes(octets), Instant::now(), due);
            let input = match self.wire.listen(deadline, self.answers.cut(), take).await? {
                Heard::Octets | Heard::Nothing => continue,
                Heard::Due => Input::Timeout,
                Heard::Stop => Input::Shutdown,
                Heard::Cut => Input::Cut,
            };
            self.session.handle(input, Instant::now(), &mut self.due);
        }
        Ok(())
    }

    /// Listens for as long as the greeting is held back: the session is told what comes too early, and refuses it. Who waits once and
    /// behaves is greeted at once for a while.
    async fn wait_to_greet(&mut self) -> io::Result<()> {
        let until = Instant::now() + self.answers.greet_pause();
        let (session, due) = (&mut self.session, &mut self.due);
        loop {
            let take = |octets: &[u8]| session.handle(Input::Bytes(octets), Instant::now(), due);
            match self.wire.listen(Some(until), self.answers.cut(), take).await? {
                Heard::Octets => {
                    self.answers.offended(Offence::EarlyTalk, 1).await;
                    return Ok(());
                }
                Heard::Due => {
                    self.answers.has_waited = true;
                    return Ok(());
                }
                Heard::Stop => {
                    session.handle(Input::Shutdown, Instant::now(), due);
                    return Ok(());
                }
                Heard::Cut => {
                    session.handle(Input::Cut, Instant::now(), due);
                    return Ok(());
                }
                Heard::Nothing => {}
            }
        }
    }

    /// Does everything that is due, in order, and sends what came of it at once.
    async fn act(&mut self) -> io::Result<Next> {
        while !self.due.is_empty() {
            for output in std::mem::take(&mut self.due) {
                match output {
                    Output::Reply(reply) => {
                        self.answers.replied(&reply);
                        reply.write_to(self.wire.unsent());
                    }
                    Output::Ask(question) => self.ask(question).await,
                    Output::Body(piece) => self.answers.body(piece).await,
                    Output::DiscardBody => self.answers.discard(),
                    Output::StartTls(_drained) => self.start_tls().await?,
                    Output::Close => {
                        self.wire.flush().await?;
                        return Ok(Next::End);
                    }
                }
            }
        }
        self.wire.flush().await?;
        Ok(Next::Wait)
    }

    async fn ask(&mut self, question: Question<Proof>) {
        let authenticated = self.session.login().is_some();
        if self.session.spoke_ahead() {
            self.answers.noted(Manners::Pipelined);
        }
        let answer = match self.answers.at_once(question, authenticated) {
            Ok(answer) => answer,
            Err(question) => self.answers.answer(question).await,
        };
        self.session.handle(Input::Answer(answer), Instant::now(), &mut self.due);
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.wire.flush().await?;
        let facts = self.wire.start_tls(self.answers.tls_config()).await?;
        self.answers.tls_up(facts);
        self.session.handle(Input::TlsUp, Instant::now(), &mut self.due);
        Ok(())
    }
}
