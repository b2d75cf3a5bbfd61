//! AUTH (RFC 4954): base64, order and counts; the mechanisms themselves are the caller's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::config::AuthOffer;
use super::state::{AuthStep, State};
use super::{Answer, Helo, Output, Question, Session};
use crate::replies;
use crate::reply::Reply;

/// Longest line in an exchange with its CR LF, in octets (RFC 4954 §4).
pub(super) const LINE_OCTETS_MAX: usize = 12_288;

impl<R> Session<R> {
    pub(super) fn auth_command(&mut self, mechanism: &str, initial: Option<&str>, out: &mut Vec<Output<R>>) {
        if let Some(refusal) = self.auth_not_now() {
            return self.error(refusal, out);
        }
        let mechanisms = self.auth_mechanisms();
        if mechanisms.is_empty() {
            return self.refuse_auth(out);
        }
        let Some(&mechanism) = mechanisms.iter().find(|offered| offered.eq_ignore_ascii_case(mechanism)) else {
            return self.error(self.not_this_mechanism(mechanism), out);
        };
        let initial = match initial {
            None => None,
            Some("=") => Some(Vec::new()),
            Some(text) => match BASE64.decode(text) {
                Ok(octets) => Some(octets),
                Err(_) => return self.error(replies::bad_base64(), out),
            },
        };
        let Some(helo) = self.take_state().into_helo() else {
            return self.misfit(out);
        };
        self.ask(State::Auth(helo, AuthStep::Asked), Question::AuthStart { mechanism, initial }, out);
    }

    /// RFC 4954 §4: 538 when TLS is all that is missing, else 504.
    fn not_this_mechanism(&self, mechanism: &str) -> Reply {
        let offer = &self.config.offer;
        let under_tls = offer.auth_mechanisms_tls.iter().any(|offered| offered.eq_ignore_ascii_case(mechanism));
        if under_tls && !self.peer.tls { replies::auth_needs_tls() } else { replies::mechanism_unknown() }
    }

    fn auth_not_now(&self) -> Option<Reply> {
        match self.state {
            _ if self.login.is_some() => Some(replies::auth_done()),
            State::Ready(_) => None,
            State::Mail(_) | State::BetweenChunks(_) => Some(replies::in_transaction()),
            _ => Some(replies::helo_first()),
        }
    }

    /// Counted as an unknown command too: who is not offered AUTH and tries anyway is guessing (T16).
    fn refuse_auth(&mut self, out: &mut Vec<Output<R>>) {
        self.counts.auth_not_offered += 1;
        let under_tls = self.config.offer.auth != AuthOffer::Never && !self.peer.tls;
        self.unknown(if under_tls { replies::auth_needs_tls() } else { replies::not_offered() }, out);
    }

    pub(super) fn auth_line(&mut self, line: &[u8], out: &mut Vec<Output<R>>) {
        // Blanks at the end are to be tolerated here as behind a command.
        let line = line.trim_ascii_end();
        let State::Auth(helo, step) = self.take_state() else {
            return self.misfit(out);
        };
        if let AuthStep::Concluding { login } = step {
            // The mechanism's last data went out as a challenge; only an empty line confirms it.
            if line.is_empty() {
                return self.authenticated(helo, login, out);
            }
            self.state = State::Ready(helo);
            let cancelled = line == b"*";
            return self.error(if cancelled { replies::auth_cancelled() } else { replies::auth_not_concluded() }, out);
        }
        self.state = State::Auth(helo, AuthStep::Challenged);
        if line == b"*" {
            return self.abort_auth(replies::auth_cancelled(), out);
        }
        match BASE64.decode(line) {
            Ok(octets) => {
                self.auth_step(AuthStep::Asked);
                out.push(Output::Ask(Question::AuthStep(Some(octets))));
            }
            Err(_) => self.abort_auth(replies::bad_base64(), out),
        }
    }

    fn auth_step(&mut self, next: AuthStep) {
        if let State::Auth(_, step) = &mut self.state {
            *step = next;
        }
    }

    /// Ends the exchange from our side. The caller is told, so that it can drop its part.
    pub(super) fn abort_auth(&mut self, reply: Reply, out: &mut Vec<Output<R>>) {
        self.auth_step(AuthStep::Aborting(reply));
        out.push(Output::Ask(Question::AuthStep(None)));
    }

    pub(super) fn auth_aborted(&mut self, helo: Helo, reply: Reply, out: &mut Vec<Output<R>>) {
        self.state = State::Ready(helo);
        self.error(reply, out);
    }

    pub(super) fn auth_answer(&mut self, helo: Helo, answer: Answer<R>, out: &mut Vec<Output<R>>) {
        match answer {
            Answer::AuthChallenge(octets) => {
                self.state = State::Auth(helo, AuthStep::Challenged);
                out.push(Output::Reply(replies::challenge(BASE64.encode(octets))));
            }
            Answer::Authenticated { login, last: Some(octets) } => {
                self.state = State::Auth(helo, AuthStep::Concluding { login });
                out.push(Output::Reply(replies::challenge(BASE64.encode(octets))));
            }
            Answer::Authenticated { login, last: None } => self.authenticated(helo, login, out),
            Answer::AuthFailed(reply) => {
                self.state = State::Ready(helo);
                self.auth_failed(reply, out);
            }
            Answer::Refuse(reply) => {
                self.state = State::Ready(helo);
                self.refused(reply, out);
            }
            _ => self.misfit(out),
        }
    }

    fn authenticated(&mut self, helo: Helo, login: String, out: &mut Vec<Output<R>>) {
        self.login = Some(login);
        self.state = State::Ready(helo);
        out.push(Output::Reply(replies::authenticated()));
    }

    fn auth_failed(&mut self, reply: Reply, out: &mut Vec<Output<R>>) {
        self.counts.auth_failures += 1;
        if self.counts.auth_failures >= self.config.limits.auth_failures {
            out.push(Output::Reply(reply));
            return self.close(replies::too_many_auth_failures(), out);
        }
        self.error(reply, out);
    }
}
