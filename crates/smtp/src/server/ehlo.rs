//! EHLO and HELO: the client says its name, the server what it offers.

use std::borrow::Cow;

use super::config::{AuthForm, AuthOffer};
use super::state::{Introduction, State};
use super::{Answer, Helo, HeloVerb, Output, Question, Session};
use crate::replies;
use crate::reply::Reply;

impl<R> Session<R> {
    /// A greeting ends a transaction like RSET (RFC 5321 §4.1.4).
    pub(super) fn helo_command(&mut self, helo: Helo, out: &mut Vec<Output<R>>) {
        if helo.verb == HeloVerb::Lhlo {
            return self.unknown(replies::unknown_command(), out);
        }
        self.abandon(out);
        let before = self.take_state().into_helo();
        self.ask(State::HeloAsked(Introduction { before, helo: helo.clone() }), Question::Helo(helo), out);
    }

    pub(super) fn helo_answer(&mut self, introduction: Introduction, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        let Introduction { before, helo } = introduction;
        match answer {
            Answer::Proceed => {
                let reply =
                    if helo.verb == HeloVerb::Helo { replies::helo(&self.config.hostname) } else { self.ehlo_reply() };
                self.state = State::Ready(helo);
                out.push(Output::Reply(reply));
            }
            Answer::Refuse(reply) => {
                self.state = State::idle(before);
                self.refused(reply, out);
            }
            _ => self.misfit(out),
        }
    }

    fn ehlo_reply(&self) -> Reply {
        let mut lines: Vec<Cow<'static, str>> = Vec::with_capacity(12);
        lines.push(self.config.hostname.clone().into());
        lines.push("PIPELINING".into());
        lines.push(format!("SIZE {}", self.config.limits.message_octets).into());
        lines.extend(["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN"].map(Cow::Borrowed));
        if self.config.offer.starttls && !self.peer.tls {
            lines.push("STARTTLS".into());
        }
        let mechanisms = self.auth_mechanisms();
        if !mechanisms.is_empty() && self.login.is_none() {
            lines.push(format!("AUTH {}", mechanisms.join(" ")).into());
            if self.config.offer.auth_form == AuthForm::AlsoEquals {
                lines.push(format!("AUTH={}", mechanisms.join(" ")).into());
            }
        }
        if self.peer.xclient {
            lines.push("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT".into());
        }
        Reply::lines(250, None, lines)
    }

    /// What AUTH may be used with now.
    pub(super) fn auth_mechanisms(&self) -> &[&'static str] {
        let offer = &self.config.offer;
        match (offer.auth, self.peer.tls) {
            (AuthOffer::UnderTls | AuthOffer::Always, true) => &offer.auth_mechanisms_tls,
            (AuthOffer::Always, false) if !offer.tls_required => &offer.auth_mechanisms_clear,
            _ => &[],
        }
    }
}
