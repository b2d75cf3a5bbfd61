//! BDAT (RFC 3030): the message comes in chunks of known length. Whatever is wrong with a chunk, its octets are read:
//! they are never commands.

use super::state::{Body, Chunk, FirstChunk, State, Swallowing};
use super::{Answer, Output, Session};
use crate::dot::Framing;
use crate::replies;
use crate::reply::Reply;

impl<R> Session<R> {
    pub(super) fn bdat_command(&mut self, chunk: Chunk, out: &mut Vec<Output<R>>) {
        match self.take_state() {
            State::Mail(envelope) if envelope.recipients.is_empty() => {
                self.state = State::Mail(envelope);
                self.start_swallowing(chunk.octets, replies::no_recipients(), out);
            }
            State::Mail(envelope) => {
                let question = Self::data_question(&envelope);
                self.ask(State::BdatAsked(FirstChunk { envelope, chunk }), question, out);
            }
            State::BetweenChunks(body) => self.start_chunk(body, chunk, out),
            state => {
                self.state = state;
                self.start_swallowing(chunk.octets, replies::mail_first(), out);
            }
        }
    }

    pub(super) fn bdat_answer(&mut self, first: FirstChunk<R>, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        let FirstChunk { envelope, chunk } = first;
        match answer {
            Answer::Proceed | Answer::ProceedInPieces(_) => {
                let body = self.body(envelope, Framing::Octets, &answer);
                self.start_chunk(body, chunk, out);
            }
            Answer::Refuse(reply) => {
                self.state = State::Ready(envelope.helo);
                self.start_swallowing(chunk.octets, reply, out);
            }
            _ => self.misfit(out),
        }
    }

    fn start_chunk(&mut self, body: Body<R>, chunk: Chunk, out: &mut Vec<Output<R>>) {
        if chunk.left == 0 {
            return self.chunk_ended(body, chunk, out);
        }
        self.state = State::Chunk(body, chunk);
    }

    /// Takes what belongs to the chunk; returns how much that was.
    pub(super) fn read_chunk(&mut self, input: &[u8], out: &mut Vec<Output<R>>) -> usize {
        let State::Chunk(body, chunk) = &mut self.state else {
            return 0;
        };
        let used = within(chunk.left, input.len());
        body.reader.read(&input[..used], &mut body.piece);
        chunk.left -= used as u64;
        if chunk.left > 0 {
            body.hand_on(out);
        } else if let State::Chunk(body, chunk) = self.take_state() {
            self.chunk_ended(body, chunk, out);
        }
        used
    }

    fn chunk_ended(&mut self, mut body: Body<R>, chunk: Chunk, out: &mut Vec<Output<R>>) {
        if chunk.last {
            body.reader.finish(&mut body.piece);
            return self.message_ended(body, out);
        }
        if let Some(fault) = body.reader.fault() {
            return self.message_refused(body.envelope.helo, fault, out);
        }
        body.hand_on(out);
        self.state = State::BetweenChunks(body);
        out.push(Output::Reply(replies::chunk_ok(chunk.octets)));
    }

    /// Refuses a chunk once its octets are gone; the state stays as it is.
    pub(super) fn start_swallowing(&mut self, octets: u64, reply: Reply, out: &mut Vec<Output<R>>) {
        if octets == 0 {
            return self.refused(reply, out);
        }
        let then = self.take_state();
        self.state = State::Swallowing(Box::new(Swallowing { left: octets, reply, then }));
    }

    pub(super) fn swallow(&mut self, input: &[u8], out: &mut Vec<Output<R>>) -> usize {
        let State::Swallowing(swallowing) = &mut self.state else {
            return 0;
        };
        let used = within(swallowing.left, input.len());
        swallowing.left -= used as u64;
        if swallowing.left == 0
            && let State::Swallowing(swallowing) = self.take_state()
        {
            self.state = swallowing.then;
            self.refused(swallowing.reply, out);
        }
        used
    }
}

/// The smaller one of the two.
fn within(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}
