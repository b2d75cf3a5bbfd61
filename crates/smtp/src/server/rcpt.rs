//! RCPT: a recipient enters the envelope once, after judgement, with its proof.

use super::state::{Candidate, State};
use super::{Accepted, Answer, Output, Question, Rcpt, Session};
use crate::command::Charset;
use crate::replies;

impl<R> Session<R> {
    pub(super) fn rcpt_command(&mut self, rcpt: Rcpt, charset: Charset, out: &mut Vec<Output<R>>) {
        let refusal = match &self.state {
            State::Mail(envelope) if charset == Charset::Utf8 && !envelope.mail.smtputf8 => replies::needs_smtputf8(),
            State::Mail(envelope) if envelope.recipients.len() >= self.config.limits.recipients => {
                return out.push(Output::Reply(replies::too_many_recipients()));
            }
            State::Mail(_) => return self.judge(rcpt, out),
            State::BetweenChunks(_) => replies::chunking_begun(),
            _ => replies::mail_first(),
        };
        self.error(refusal, out);
    }

    fn judge(&mut self, rcpt: Rcpt, out: &mut Vec<Output<R>>) {
        let State::Mail(envelope) = self.take_state() else {
            return self.misfit(out);
        };
        let params = rcpt.params.clone();
        self.ask(State::RcptAsked(Candidate { envelope, params }), Question::Rcpt(rcpt), out);
    }

    pub(super) fn rcpt_answer(&mut self, candidate: Candidate<R>, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        let Candidate { mut envelope, params } = candidate;
        match answer {
            Answer::Recipient(proof) => {
                envelope.recipients.push(Accepted { proof, params });
                self.state = State::Mail(envelope);
                out.push(Output::Reply(replies::recipient_ok()));
            }
            Answer::Refuse(reply) => {
                self.state = State::Mail(envelope);
                self.refused(reply, out);
            }
            _ => self.misfit(out),
        }
    }
}
