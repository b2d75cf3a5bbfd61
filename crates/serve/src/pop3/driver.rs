//! Drives one POP3 session: reads, lets the session decide, looks up what it asks, writes. Decides nothing itself.

use std::io;
use std::time::Instant;

use pop3::stuff::DotWriter;
use pop3::{Answer, Input, Lines, Output, Question, Session, Wanted};

use super::answers::Answers;
use listen::{Heard, Wire};

/// How much of a list or of a message is in memory at a time, in octets.
const PIECE_OCTETS: usize = 64 * 1024;

/// A session with its connection.
pub(super) struct Driver {
    wire: Wire,
    session: Session,
    answers: Answers,
    due: Vec<Output>,
}

/// What a step of the session left to do.
enum Next {
    Wait,
    End,
}

impl Driver {
    /// A driver for a connection that has just come in (with TLS up already where the listener speaks it at once).
    pub(super) fn new(wire: Wire, session: Session, answers: Answers) -> Self {
        Self { wire, session, answers, due: Vec::new() }
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self) {
        self.session.start(&mut self.due);
        let ended = self.converse().await;
        if ended.is_err() {
            // RFC 1939 §6: without QUIT nothing is deleted.
            self.session.handle(Input::PeerGone, Instant::now(), &mut self.due);
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

    /// Does everything that is due, in order, and sends what came of it at once.
    async fn act(&mut self) -> io::Result<Next> {
        while !self.due.is_empty() {
            for output in std::mem::take(&mut self.due) {
                match output {
                    Output::Reply(reply) => reply.write_to(self.wire.unsent()),
                    Output::Lines(lines) => self.send_lines(lines).await?,
                    Output::Ask(question) => self.ask(question).await?,
                    Output::StartTls(_drained) => self.start_tls().await?,
                    Output::Close => {
                        // Before the last words: a client that reads them may come back at once.
                        self.answers.release();
                        self.wire.flush().await?;
                        return Ok(Next::End);
                    }
                }
            }
        }
        self.wire.flush().await?;
        Ok(Next::Wait)
    }

    async fn send_lines(&mut self, mut lines: Lines) -> io::Result<()> {
        while lines.fill(self.wire.unsent(), PIECE_OCTETS) {
            self.wire.flush().await?;
        }
        Ok(())
    }

    async fn ask(&mut self, question: Question) -> io::Result<()> {
        let answer = match question {
            Question::Message(wanted) => Box::pin(self.send_message(wanted)).await?,
            // Boxed: an idle connection must not keep room for the largest look-up.
            other => Box::pin(self.answers.answer(other)).await,
        };
        self.session.handle(Input::Answer(answer), Instant::now(), &mut self.due);
        Ok(())
    }

    /// Streams one message. Once its first octet is out, a failure can only be told by closing.
    async fn send_message(&mut self, wanted: Wanted) -> io::Result<Answer> {
        let mut piece = match self.answers.open_message(wanted.number).await {
            Ok(piece) => piece,
            Err(reply) => return Ok(Answer::Refuse(reply)),
        };
        let mut writer = DotWriter::new(wanted.lines);
        wanted.opening().write_to(self.wire.unsent());
        loop {
            let goes_on = writer.push(&piece.octets, self.wire.unsent());
            let Some(rest) = piece.rest.filter(|_| goes_on) else { break };
            if self.wire.unsent().len() >= PIECE_OCTETS {
                self.wire.flush().await?;
            }
            piece = self.answers.read_on(rest).await?;
        }
        writer.finish(self.wire.unsent());
        Ok(Answer::Sent)
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.wire.flush().await?;
        let tls = self.wire.start_tls(self.answers.tls_config()).await?;
        self.session.handle(Input::TlsUp, Instant::now(), &mut self.due);
        self.answers.tls_up(tls);
        Ok(())
    }
}
