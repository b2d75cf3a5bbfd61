//! A session in memory with a caller that answers by fixed rules, and the lines of what it did.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smtp::command::Syntax;
use smtp::server::{
    Answer, AuthForm, AuthOffer, Flavour, Input, Limits, Offer, Output, Peer, Question, ServerConfig, Session,
};
use smtp::{Enhanced, ForwardPath, Reply, replies};

/// What a test may set before a session.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) config: ServerConfig,
    pub(crate) peer: Peer,
    pub(crate) disk_full: bool,
}

impl Default for Setting {
    fn default() -> Self {
        let offer = Offer {
            starttls: true,
            auth: AuthOffer::UnderTls,
            auth_mechanisms_clear: vec!["SCRAM-SHA-256", "CRAM-MD5"],
            auth_mechanisms_tls: vec!["SCRAM-SHA-256", "PLAIN", "LOGIN"],
            auth_form: AuthForm::Standard,
            auth_required: false,
            tls_required: false,
        };
        let config = ServerConfig {
            hostname: "mx.local.example".into(),
            software: "Sekisho".into(),
            limits: Limits { message_octets: 100_000, body_chunk_octets: 16, ..Limits::default() },
            offer,
            flavour: Flavour::Mx,
            default_domain: "local.example".parse().ok(),
            syntax: Syntax::Lenient,
        };
        let addr = IpAddr::from([192, 0, 2, 7]);
        Self { config, peer: Peer { addr, xclient: false, trusted: false, tls: false }, disk_full: false }
    }
}

impl Setting {
    /// `key=value` of a transcript's `set:` line.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        let limits = &mut self.config.limits;
        let offer = &mut self.config.offer;
        let number = || value.parse().expect("a number");
        match key {
            "command_line_octets" => limits.command_line_octets = value.parse().expect("a number"),
            "text_line_octets" => limits.text_line_octets = value.parse().expect("a number"),
            "message_octets" => limits.message_octets = value.parse().expect("a number"),
            "recipients" => limits.recipients = value.parse().expect("a number"),
            "errors" => limits.errors = number(),
            "unknown_commands" => limits.unknown_commands = number(),
            "auth_failures" => limits.auth_failures = number(),
            "messages" => limits.messages = number(),
            "starttls" => offer.starttls = value == "yes",
            "auth" if value == "always" => offer.auth = AuthOffer::Always,
            "auth" if value == "never" => offer.auth = AuthOffer::Never,
            "auth_required" => offer.auth_required = value == "yes",
            "tls_required" => offer.tls_required = value == "yes",
            "strict" => self.config.syntax = if value == "yes" { Syntax::Strict } else { Syntax::Lenient },
            "auth_equals" => offer.auth_form = AuthForm::AlsoEquals,
            "trusted" => self.peer.trusted = value == "yes",
            "tls" => self.peer.tls = value == "yes",
            "xclient" => self.peer.xclient = value == "yes",
            "disk" => self.disk_full = value == "full",
            _ => unreachable!("set: {key}={value}"),
        }
    }
}

/// A session, its clock and its caller.
pub(crate) struct Scripted {
    pub(crate) session: Session<String>,
    pub(crate) now: Instant,
    /// What came out, a line each: `S: …` a line of a reply, `E: …` an event.
    pub(crate) lines: Vec<String>,
    disk_full: bool,
    text: Vec<u8>,
    queued: u32,
    /// Proofs given since MAIL.
    given: Vec<String>,
}

impl Scripted {
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant can be had in no other way; it is moved by hand from here"
    )]
    pub(crate) fn start(setting: Setting) -> Self {
        let now = Instant::now();
        let session = Session::new(Arc::new(setting.config), setting.peer, now);
        let disk_full = setting.disk_full;
        let mut scripted =
            Self { session, now, lines: Vec::new(), disk_full, text: Vec::new(), queued: 0, given: Vec::new() };
        let mut out = Vec::new();
        scripted.session.start(now, &mut out);
        scripted.carry_out(out);
        scripted
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.input(Input::Bytes(octets));
    }

    pub(crate) fn input(&mut self, input: Input<'_, String>) {
        let mut out = Vec::new();
        self.session.handle(input, self.now, &mut out);
        self.carry_out(out);
    }

    /// Lets time pass, and tells the session if its deadline did.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.input(Input::Timeout);
        }
    }

    fn carry_out(&mut self, out: Vec<Output<String>>) {
        let mut answer = None;
        for output in out {
            assert!(answer.is_none(), "nothing comes behind a question");
            match output {
                Output::Reply(reply) => {
                    let mut wire = Vec::new();
                    reply.write_to(&mut wire);
                    let wire = String::from_utf8(wire).expect("replies are ASCII");
                    self.lines.extend(wire.split_terminator("\r\n").map(|line| format!("S: {line}")));
                }
                Output::Ask(question) => answer = Some(self.judge(question)),
                Output::StartTls(drained) => {
                    let _ = drained;
                    self.lines.push("E: starttls".into());
                }
                Output::Body(piece) => self.text.extend(piece),
                Output::DiscardBody => {
                    self.text.clear();
                    self.lines.push("E: discard".into());
                }
                Output::Close => self.lines.push("E: close".into()),
            }
        }
        if let Some(answer) = answer {
            assert!(!self.session.wants_bytes() && self.session.deadline().is_none());
            self.input(Input::Answer(answer));
        }
    }

    fn judge(&mut self, question: Question<String>) -> Answer<String> {
        match question {
            Question::Helo(helo) if helo.host.to_string() == "bad.example" => {
                Answer::Refuse(Reply::new(550, Enhanced(5, 7, 1), "Not you"))
            }
            Question::Mail(mail) if mail.reverse_path.to_string().contains("banned") => {
                Answer::RefuseAndClose(replies::connection_refused())
            }
            Question::Mail(mail) if mail.reverse_path.to_string().contains("later") => {
                Answer::Refuse(replies::authority_unavailable(&mail.reverse_path, &"id"))
            }
            Question::Mail(_) => {
                self.given.clear();
                Answer::Proceed
            }
            Question::Rcpt(rcpt) => {
                let answer = self.judge_rcpt(&rcpt.forward_path);
                if let Answer::Recipient(proof) = &answer {
                    self.given.push(proof.clone());
                }
                answer
            }
            Question::Data { .. } if self.disk_full => Answer::Refuse(replies::disk_full()),
            Question::Connect | Question::Helo(_) | Question::Data { .. } | Question::XClient(_) => Answer::Proceed,
            Question::AuthStart { mechanism, initial } => start(mechanism, initial),
            Question::AuthStep(None) => {
                self.lines.push("E: exchange dropped".into());
                Answer::Proceed
            }
            Question::AuthStep(Some(octets)) => step(&octets),
            Question::Message(envelope, last) => {
                self.text.extend(last);
                let text = std::mem::take(&mut self.text);
                let proofs: Vec<String> = envelope.recipients.iter().map(|accepted| accepted.proof.clone()).collect();
                assert!(!proofs.is_empty() && proofs == self.given, "T12: {proofs:?} {:?}", self.given);
                let (protocol, from) = (envelope.protocol(), &envelope.reverse_path);
                self.lines.push(format!(
                    "E: message {protocol} {from} to {}: {}",
                    proofs.join(","),
                    text.escape_ascii()
                ));
                if text.starts_with(b"Lose-Me") {
                    return Answer::Refuse(replies::not_stored());
                }
                self.queued += 1;
                Answer::Accepted(replies::queued(&format!("Q{}", self.queued)))
            }
        }
    }

    fn judge_rcpt(&self, path: &ForwardPath) -> Answer<String> {
        let text = path.to_string();
        if text.contains("unknown") {
            Answer::Refuse(replies::unknown_user(&text, &"id"))
        } else if text == "<postmaster>" || text.ends_with("@local.example>") {
            Answer::Recipient(text)
        } else if let Some(login) = self.session.login() {
            Answer::Recipient(format!("{text} by {login}"))
        } else {
            Answer::Refuse(replies::relay_denied(&text, &"id"))
        }
    }
}

fn start(mechanism: &str, initial: Option<Vec<u8>>) -> Answer<String> {
    match (mechanism, initial) {
        ("SCRAM-SHA-256", _) => Answer::Authenticated { login: "alice".into(), last: Some(b"v=proof".to_vec()) },
        ("LOGIN", None) => Answer::AuthChallenge(b"Username:".to_vec()),
        (_, None) => Answer::AuthChallenge(Vec::new()),
        (_, Some(octets)) => step(&octets),
    }
}

fn step(octets: &[u8]) -> Answer<String> {
    match octets {
        b"alice" => Answer::AuthChallenge(b"Password:".to_vec()),
        b"secret" | b"\0alice\0secret" => Answer::Authenticated { login: "alice".into(), last: None },
        b"\0alice\0down" => Answer::Refuse(replies::auth_unavailable()),
        _ => Answer::AuthFailed(replies::auth_failed()),
    }
}
