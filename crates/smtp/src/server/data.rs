//! DATA: the message comes in, piece by piece, and is handed over whole or not at all.

use std::mem;

use super::state::{Body, State};
use super::{Answer, Behind, Envelope, Helo, Output, Question, Session};
use crate::dot::{Fault, Framing, TextLimits, TextReader};
use crate::replies;
use crate::reply::Reply;

impl<R> Session<R> {
    pub(super) fn data_command(&mut self, behind: Behind, out: &mut Vec<Output<R>>) {
        let refusal = match &self.state {
            // RFC 2920 §3.1: DATA ends a group. Were the text taken for commands whenever DATA is refused, a message
            // could speak for its sender.
            State::Mail(_) if behind == Behind::Octets => return self.close(replies::data_pipelined(), out),
            State::Mail(envelope) if envelope.recipients.is_empty() => replies::no_recipients(),
            State::Mail(_) => return self.ask_for_data(out),
            State::BetweenChunks(_) => replies::chunking_begun(),
            _ => replies::mail_first(),
        };
        self.error(refusal, out);
    }

    fn ask_for_data(&mut self, out: &mut Vec<Output<R>>) {
        let State::Mail(envelope) = self.take_state() else {
            return self.misfit(out);
        };
        let question = Self::data_question(&envelope);
        self.ask(State::DataAsked(envelope), question, out);
    }

    pub(super) fn data_question(envelope: &Envelope<R>) -> Question<R> {
        Question::Data { declared_size: envelope.mail.size, recipients: envelope.recipients.len() }
    }

    pub(super) fn data_answer(&mut self, envelope: Box<Envelope<R>>, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        match answer {
            Answer::Proceed | Answer::ProceedInPieces(_) => {
                self.state = State::Body(self.body(envelope, Framing::Dots, &answer));
                out.push(Output::Reply(replies::start_data()));
            }
            Answer::Refuse(reply) => {
                self.state = State::Ready(envelope.helo);
                self.refused(reply, out);
            }
            _ => self.misfit(out),
        }
    }

    /// A message that may come in, by the answer that said so.
    pub(super) fn body(&self, envelope: Box<Envelope<R>>, framing: Framing, answer: &Answer<R>) -> Body<R> {
        let limits = &self.config.limits;
        let piece_octets =
            if let Answer::ProceedInPieces(octets) = answer { *octets } else { limits.body_chunk_octets };
        let limits = TextLimits { line_octets: limits.text_line_octets, message_octets: limits.message_octets };
        Body { envelope, reader: TextReader::new(framing, limits), piece: Vec::new(), piece_octets }
    }

    /// Takes what belongs to the message; returns how much that was.
    pub(super) fn read_body(&mut self, input: &[u8], out: &mut Vec<Output<R>>) -> usize {
        let State::Body(body) = &mut self.state else {
            return 0;
        };
        let progress = body.reader.read(input, &mut body.piece);
        if progress.ended {
            if let State::Body(body) = self.take_state() {
                self.message_ended(body, out);
            }
        } else {
            body.hand_on(out);
        }
        progress.used
    }

    /// Hands over a message that is complete, or refuses it.
    pub(super) fn message_ended(&mut self, body: Body<R>, out: &mut Vec<Output<R>>) {
        let helo = body.envelope.helo.clone();
        match body.reader.fault() {
            None => self.ask(State::MessageAsked(helo), Question::Message(body.envelope, body.piece), out),
            Some(fault) => self.message_refused(helo, fault, out),
        }
    }

    pub(super) fn message_refused(&mut self, helo: Helo, fault: Fault, out: &mut Vec<Output<R>>) {
        self.state = State::Ready(helo);
        out.push(Output::DiscardBody);
        if fault == Fault::BareLineEnd {
            return self.close(replies::bare_line_end_in_data(), out);
        }
        self.error(fault_reply(fault), out);
    }

    pub(super) fn message_answer(&mut self, helo: Helo, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        self.state = State::Ready(helo);
        match answer {
            Answer::Accepted(reply) => {
                self.counts.messages += 1;
                out.push(Output::Reply(reply));
            }
            Answer::Refuse(reply) => self.refused(reply, out),
            _ => self.misfit(out),
        }
    }
}

impl<R> Body<R> {
    /// Gives a piece away once it is large enough; a faulty message gives nothing more.
    pub(super) fn hand_on(&mut self, out: &mut Vec<Output<R>>) {
        if self.reader.fault().is_some() {
            self.piece = Vec::new();
        } else if self.piece.len() >= self.piece_octets.max(1) {
            out.push(Output::Body(mem::take(&mut self.piece)));
        }
    }
}

fn fault_reply(fault: Fault) -> Reply {
    match fault {
        Fault::TooBig => replies::message_too_big(),
        Fault::LineTooLong => replies::text_line_too_long(),
        Fault::Nul => replies::nul_in_data(),
        Fault::BareLineEnd => replies::bare_line_end_in_data(),
    }
}
