//! What a session would ask of the guard for a probe: the octets go through the session of the listener, and every recipient
//! outside is refused, as the guard must.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use smtp::server::{Answer, Input, Output, Peer, Question, ServerConfig, Session};
use smtp::{ForwardPath, ReversePath, replies};

use crate::relay::{Charset, Kind, Need, Probe, Values};

/// Rounds of one input, each an answer to a question of the session's.
const ROUNDS_MAX: usize = 64;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The client introduces itself.
    Helo(String),
    /// A transaction begins.
    Mail(ReversePath),
    /// A recipient is asked for.
    Rcpt {
        /// Without a route.
        forward_path: ForwardPath,
        /// There was one.
        had_source_route: bool,
    },
}

/// The questions of a probe. None: it needs what no stranger has, or it never came to a recipient.
pub(super) fn of(config: &Arc<ServerConfig>, probe: &Probe, values: &Values) -> Vec<Event> {
    if probe.kind == Kind::Fixture || probe.needs.contains(&Need::Auth) {
        return Vec::new();
    }
    let mut player = Player::new(config, values);
    player.begin();
    match probe.kind {
        Kind::Envelope => {
            player.feed("EHLO {helo}\r\n", probe.charset);
            player.feed(&format!("MAIL FROM:{}\r\n", probe.mail_from), probe.charset);
            player.feed(&format!("RCPT TO:{}\r\n", probe.rcpt_to), probe.charset);
        }
        Kind::Dialogue => {
            for step in &probe.steps {
                if step.only_after.is_some_and(|code| code != player.code) {
                    continue;
                }
                if step.reconnect {
                    player.begin();
                } else if let Some(send) = &step.send {
                    player.feed(send, probe.charset);
                }
            }
        }
        Kind::Smuggle => {
            let (eod, target) = (probe.eod.as_deref(), probe.smuggled_rcpt.as_deref());
            player.feed("EHLO {helo}\r\n", Charset::Utf8);
            player.feed(
                &format!("MAIL FROM:{}\r\nRCPT TO:{}\r\nDATA\r\n", probe.mail_from, probe.rcpt_to),
                Charset::Utf8,
            );
            player.feed(&format!("Subject: x\r\n\r\nx{}", eod.unwrap_or_default()), Charset::Latin1);
            let second = format!("MAIL FROM:{}\r\nRCPT TO:{}\r\n", probe.mail_from, target.unwrap_or_default());
            player.feed(&(second + "DATA\r\n\r\nx\r\n.\r\n"), Charset::Utf8);
        }
        Kind::TlsInject => {
            player.feed("EHLO {helo}\r\n", Charset::Utf8);
            player.feed(&format!("STARTTLS\r\n{}", probe.inject.as_deref().unwrap_or_default()), Charset::Utf8);
        }
        Kind::Fixture => {}
    }
    player.events
}

struct Player<'a> {
    config: &'a Arc<ServerConfig>,
    values: &'a Values,
    session: Session<()>,
    now: Instant,
    /// Of the last reply.
    code: u16,
    events: Vec<Event>,
}

impl<'a> Player<'a> {
    fn new(config: &'a Arc<ServerConfig>, values: &'a Values) -> Self {
        let now = Instant::now();
        let session = Session::new(Arc::clone(config), stranger(config), now);
        Self { config, values, session, now, code: 0, events: Vec::new() }
    }

    fn begin(&mut self) {
        self.session = Session::new(Arc::clone(self.config), stranger(self.config), self.now);
        let mut out = Vec::new();
        self.session.start(self.now, &mut out);
        self.answer(out);
    }

    fn feed(&mut self, text: &str, charset: Charset) {
        let octets = self.values.octets(text, charset);
        let mut out = Vec::new();
        self.session.handle(Input::Bytes(&octets), self.now, &mut out);
        self.answer(out);
    }

    /// Answers what the session asks until it asks no more.
    fn answer(&mut self, mut out: Vec<Output<()>>) {
        for _ in 0..ROUNDS_MAX {
            let mut next = Vec::new();
            for one in out.drain(..) {
                match one {
                    Output::Reply(reply) => self.code = reply.code(),
                    Output::Ask(question) => {
                        let answer = self.answer_to(question);
                        self.session.handle(Input::Answer(answer), self.now, &mut next);
                    }
                    Output::StartTls(_) => self.session.handle(Input::TlsUp, self.now, &mut next),
                    Output::Body(_) | Output::DiscardBody | Output::Close => {}
                }
            }
            if next.is_empty() {
                return;
            }
            out = next;
        }
    }

    fn answer_to(&mut self, question: Question<()>) -> Answer<()> {
        match question {
            Question::Connect | Question::Data { .. } => Answer::Proceed,
            Question::Helo(helo) => {
                self.events.push(Event::Helo(helo.host.to_string()));
                Answer::Proceed
            }
            Question::Mail(mail) => {
                self.events.push(Event::Mail(mail.reverse_path));
                Answer::Proceed
            }
            Question::Rcpt(rcpt) => {
                let host = rcpt.forward_path.mailbox().and_then(|mailbox| mailbox.host.domain());
                let is_ours = host.is_none_or(|domain| domain.as_str().eq_ignore_ascii_case(&self.values.local_domain));
                let refused = replies::relay_denied(&rcpt.forward_path, &"probe");
                let (forward_path, had_source_route) = (rcpt.forward_path, rcpt.had_source_route);
                self.events.push(Event::Rcpt { forward_path, had_source_route });
                if is_ours { Answer::Recipient(()) } else { Answer::Refuse(refused) }
            }
            // Nobody logs in, nobody is believed to speak for others, and no mail is kept.
            Question::AuthStart { .. } | Question::AuthStep(_) | Question::XClient(_) | Question::Message(..) => {
                Answer::Refuse(replies::internal_fault())
            }
        }
    }
}

/// Where TLS must come first, it has.
fn stranger(config: &ServerConfig) -> Peer {
    let addr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Peer { addr, xclient: false, trusted: false, tls: config.offer.tls_required || !config.offer.starttls }
}

#[cfg(test)]
mod tests {
    use smtp::command::Syntax;
    use smtp::server::{AuthForm, AuthOffer, Flavour, Limits, Offer};

    use super::*;
    use crate::relay::probes;

    #[test]
    fn the_probes_come_to_questions_and_nothing_is_smuggled() {
        let offer = Offer {
            starttls: true,
            auth: AuthOffer::Never,
            auth_mechanisms_clear: Vec::new(),
            auth_mechanisms_tls: Vec::new(),
            auth_form: AuthForm::Standard,
            auth_required: false,
            tls_required: false,
        };
        let config = Arc::new(ServerConfig {
            hostname: "mail.example.test".to_owned(),
            software: "Sekisho".to_owned(),
            limits: Limits::default(),
            offer,
            flavour: Flavour::Mx,
            syntax: Syntax::Lenient,
            default_domain: None,
        });
        let text = str::to_owned;
        let values = Values {
            target_user: text("relaytest"),
            target_domain: text("target.example"),
            local_user: text("postmaster"),
            local_domain: text("example.test"),
            local_host: text("mail.example.test"),
            local_ip: [127, 0, 0, 1].into(),
            helo: text("prober.example"),
        };
        let all = probes().unwrap();
        let asked = |id: &str| of(&config, all.iter().find(|probe| probe.id == id).unwrap(), &values);
        let recipients = |events: &[Event]| events.iter().filter(|it| matches!(it, Event::Rcpt { .. })).count();
        assert_eq!(recipients(&asked("plain-foreign")), 1);
        assert_eq!(recipients(&asked("syn-mixed-pipelined")), 2);
        let smuggled = all.iter().filter(|probe| probe.kind == Kind::Smuggle).map(|probe| asked(&probe.id));
        assert!(smuggled.into_iter().all(|events| recipients(&events) <= 1), "the mail is no command");
        let reached = all.iter().filter(|probe| recipients(&of(&config, probe, &values)) > 0).count();
        assert!(reached > 60, "{reached} come to a recipient; the others are no commands");
    }
}
