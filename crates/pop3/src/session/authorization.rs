//! AUTHORIZATION: who is it? USER/PASS, APOP, AUTH, STLS.

use super::{Answer, Asked, Drained, Output, Question, Session, State};
use crate::command::{Command, Octets};
use crate::config::PlainText;
use crate::replies::{self, Capabilities};
use crate::reply::Reply;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Drained {
    /// Only nothing is nothing.
    fn of(behind: &[u8]) -> Option<Self> {
        behind.is_empty().then_some(Self(()))
    }
}

impl Session {
    pub(super) fn authorization_command(&mut self, command: &Command<'_>, behind: &[u8], out: &mut Vec<Output>) {
        match *command {
            Command::User(user) => self.user(user, out),
            Command::Pass(Octets(pass)) => self.pass(pass, out),
            Command::Apop(user, digest) => self.apop(user, digest, out),
            Command::Auth(mechanism, initial) => self.auth(mechanism, initial, out),
            Command::AuthList => {
                out.push(Output::Reply(replies::mechanisms(self.mechanisms())));
            }
            Command::Stls => self.stls(behind, out),
            Command::Utf8 => {
                self.utf8 = true;
                out.push(Output::Reply(replies::utf8_on()));
            }
            Command::Quit => self.close(replies::bye(), out),
            _ => self.error(replies::not_now(), out),
        }
    }

    fn user(&mut self, user: &str, out: &mut Vec<Output>) {
        if !self.takes_user_pass() {
            return self.refuse_user_pass(out);
        }
        self.state = State::Authorization { user: Some(user.into()) };
        out.push(Output::Reply(replies::user_taken()));
    }

    fn pass(&mut self, pass: &[u8], out: &mut Vec<Output>) {
        if !self.takes_user_pass() {
            return self.refuse_user_pass(out);
        }
        let state = std::mem::replace(&mut self.state, State::Authorization { user: None });
        let State::Authorization { user: Some(user) } = state else {
            return self.error(replies::user_first(), out);
        };
        self.ask(Asked::Auth, Question::UserPass { user: user.into(), pass: pass.into() }, out);
    }

    fn apop(&mut self, user: &str, digest: [u8; 16], out: &mut Vec<Output>) {
        let Some(banner) = self.peer.apop_banner.clone() else {
            return self.error(replies::no_apop(), out);
        };
        self.ask(Asked::Auth, Question::Apop { user: user.to_owned(), digest, banner }, out);
    }

    fn auth(&mut self, mechanism: &str, initial: Option<Octets<'_>>, out: &mut Vec<Output>) {
        let offered = self.mechanisms();
        let Some(&mechanism) = offered.iter().find(|name| name.eq_ignore_ascii_case(mechanism)) else {
            return self.error(replies::no_such_mechanism(), out);
        };
        let initial = match initial.map(|Octets(text)| if text == b"=" { Some(Vec::new()) } else { decode(text) }) {
            Some(None) => return self.error(replies::not_base64(), out),
            Some(Some(octets)) => Some(Secret::new(octets)),
            None => None,
        };
        self.ask(Asked::Auth, Question::AuthStart { mechanism, initial }, out);
    }

    /// A line of an exchange.
    pub(super) fn auth_line(&mut self, line: &[u8], out: &mut Vec<Output>) {
        let line = line.trim_ascii_end();
        let state = std::mem::replace(&mut self.state, State::Authorization { user: None });
        let response = decode(line);
        match (state, response) {
            (State::LastWord { login }, Some(empty)) if empty.is_empty() => self.open_maildrop(login, out),
            (State::LastWord { .. }, _) => self.auth_failed(replies::no_more_data(), out),
            (_, Some(octets)) => self.ask(Asked::Auth, Question::AuthStep(Some(Secret::new(octets))), out),
            (_, None) => {
                let reply = if line == b"*" { replies::auth_cancelled() } else { replies::not_base64() };
                self.ask(Asked::AuthOver(reply), Question::AuthStep(None), out);
            }
        }
    }

    pub(super) fn auth_answer(&mut self, answer: Answer, out: &mut Vec<Output>) {
        match answer {
            Answer::AuthChallenge(octets) => {
                self.state = State::Exchange;
                out.push(Output::Reply(Reply::challenge(BASE64.encode(octets))));
            }
            Answer::Authenticated { login, last: None } => self.open_maildrop(login, out),
            Answer::Authenticated { login, last: Some(octets) } => {
                self.state = State::LastWord { login };
                out.push(Output::Reply(Reply::challenge(BASE64.encode(octets))));
            }
            Answer::AuthFailed(reply) => self.auth_failed(reply, out),
            Answer::Refuse(reply) => out.push(Output::Reply(reply)),
            _ => self.close(replies::internal_fault(), out),
        }
    }

    /// A held connection is no place for unlimited guesses.
    pub(super) fn auth_failed(&mut self, reply: Reply, out: &mut Vec<Output>) {
        self.failures += 1;
        if self.failures >= self.config.limits.auth_failures {
            return self.close(reply, out);
        }
        out.push(Output::Reply(reply));
    }

    fn open_maildrop(&mut self, login: String, out: &mut Vec<Output>) {
        self.ask(Asked::Maildrop { login: login.clone() }, Question::OpenMaildrop { login }, out);
    }

    fn stls(&mut self, behind: &[u8], out: &mut Vec<Output>) {
        if !self.offers_stls() || self.utf8 {
            return self.error(replies::no_stls(), out);
        }
        match Drained::of(behind) {
            Some(drained) => {
                self.state = State::AwaitTls;
                out.push(Output::Reply(replies::begin_tls()));
                out.push(Output::StartTls(drained));
            }
            None => self.close(replies::bytes_behind_stls(), out),
        }
    }

    fn offers_stls(&self) -> bool {
        self.config.offer.stls && !self.peer.tls
    }

    /// The mechanisms that AUTH takes now.
    fn mechanisms(&self) -> &[&'static str] {
        let offer = &self.config.offer;
        if self.peer.tls { &offer.auth_mechanisms_tls } else { &offer.auth_mechanisms_clear }
    }

    /// Whether USER and PASS are taken now.
    fn takes_user_pass(&self) -> bool {
        match self.config.offer.user_pass {
            PlainText::Never => false,
            PlainText::UnderTls => self.peer.tls,
            PlainText::Always => true,
        }
    }

    fn refuse_user_pass(&mut self, out: &mut Vec<Output>) {
        let refusal = if self.offers_stls() { replies::stls_first() } else { replies::no_plain_text() };
        self.error(refusal, out);
    }

    /// What CAPA tells now.
    pub(super) fn capabilities(&self) -> Capabilities<'_> {
        Capabilities {
            software: &self.config.software,
            user_pass: self.takes_user_pass(),
            mechanisms: self.mechanisms(),
            stls: self.offers_stls(),
        }
    }
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}
