//! XCLIENT: a listed proxy tells whom it speaks for. The session begins anew, without login (T7).

use super::state::{Proxied, State};
use super::{Answer, Output, Question, Session, XClient};
use crate::replies;

impl<R> Session<R> {
    pub(super) fn xclient_command(&mut self, facts: XClient, out: &mut Vec<Output<R>>) {
        if !self.peer.xclient {
            return self.unknown(replies::not_offered(), out);
        }
        if matches!(self.state, State::Mail(_) | State::BetweenChunks(_)) {
            return self.error(replies::in_transaction(), out);
        }
        let before = self.take_state().into_helo();
        self.ask(State::XClientAsked(Proxied { before, addr: facts.addr }), Question::XClient(facts), out);
    }

    pub(super) fn xclient_answer(&mut self, proxied: Proxied, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        match answer {
            Answer::Proceed => {
                self.login = None;
                self.counts.ahead = 0;
                self.peer.trusted = false;
                if let Some(addr) = proxied.addr {
                    self.peer.addr = addr;
                }
                self.state = State::Fresh;
                out.push(Output::Reply(replies::greeting(&self.config.hostname, &self.config.software)));
            }
            Answer::Refuse(reply) => {
                self.state = State::idle(proxied.before);
                self.refused(reply, out);
            }
            _ => self.misfit(out),
        }
    }
}
