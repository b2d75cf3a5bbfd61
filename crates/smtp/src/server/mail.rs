//! MAIL: a transaction begins.

use super::state::State;
use super::{Answer, Envelope, Mail, Output, Question, Session};
use crate::replies;

impl<R> Session<R> {
    pub(super) fn mail_command(&mut self, mail: Mail, out: &mut Vec<Output<R>>) {
        let limits = &self.config.limits;
        let refusal = match &self.state {
            State::Ready(_) if self.config.offer.auth_required && self.login.is_none() => replies::auth_required(),
            State::Ready(_) if self.counts.messages >= limits.messages => {
                return self.close(replies::too_many_messages(), out);
            }
            State::Ready(_) if mail.params.size.is_some_and(|size| size > limits.message_octets) => {
                replies::message_too_big()
            }
            State::Ready(_) => return self.open(mail, out),
            State::Mail(_) | State::BetweenChunks(_) => replies::nested_mail(),
            _ => replies::helo_first(),
        };
        self.error(refusal, out);
    }

    fn open(&mut self, mail: Mail, out: &mut Vec<Output<R>>) {
        let Some(helo) = self.take_state().into_helo() else {
            return self.misfit(out);
        };
        let envelope = Envelope {
            helo,
            reverse_path: mail.reverse_path.clone(),
            mail: mail.params.clone(),
            recipients: Vec::new(),
            tls: self.peer.tls,
            authenticated: self.login.is_some(),
        };
        self.ask(State::MailAsked(Box::new(envelope)), Question::Mail(mail), out);
    }

    pub(super) fn mail_answer(&mut self, envelope: Box<Envelope<R>>, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        match answer {
            Answer::Proceed => {
                self.state = State::Mail(envelope);
                out.push(Output::Reply(replies::sender_ok()));
            }
            Answer::Refuse(reply) => {
                self.state = State::Ready(envelope.helo);
                self.refused(reply, out);
            }
            _ => self.misfit(out),
        }
    }
}
