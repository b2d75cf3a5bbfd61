//! Plays one probe: what is said, up to the reply that decides. Without a sink nothing goes beyond RCPT, so no mail is left.
#![expect(clippy::similar_names, reason = "a case has a cause")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smtp::client::Response;
use tokio::time::timeout;

use super::catalog::{Charset, Kind, Mark, MarkReply, Need, Probe, Replies, Step};
use super::fill::Values;
use super::mail::{self, Token};
use super::outcome::{Exchange, Outcome, Played, is_of_the_domain, of_reply};
use super::wire::{Times, Wire, WireFault};

/// The longest that one probe may take.
const PROBE_MAX: Duration = Duration::from_mins(2);
/// Exchanges that are kept of one probe, and characters of each.
const EXCHANGES_MAX: usize = 24;
const SHOWN_MAX: usize = 300;

/// What is said of a server that takes something else than a dot on a line of its own for the end of a mail.
const SMUGGLED: &str = "what stood in the mail was obeyed: the server is open to SMTP smuggling";

/// Whom the probes speak to, and as whom.
pub(super) struct Setting<'a> {
    pub(super) server: SocketAddr,
    pub(super) source: Option<IpAddr>,
    pub(super) times: Times,
    pub(super) values: &'a Values,
    /// There is a sink, and this is what its mails bear.
    pub(super) token: Option<&'a Token>,
}

/// A probe with its number.
#[derive(Clone, Copy)]
pub(super) struct Numbered<'a> {
    pub(super) number: usize,
    pub(super) probe: &'a Probe,
}

/// What a probe ended with.
struct Ending {
    outcome: Outcome,
    said: String,
    note: String,
}

impl Ending {
    fn of(outcome: Outcome, reply: &Response) -> Self {
        Self { outcome, said: shown(&reply.to_string()), note: String::new() }
    }

    fn with(outcome: Outcome, note: impl Into<String>) -> Self {
        Self { outcome, said: String::new(), note: note.into() }
    }

    fn noting(mut self, note: &str) -> Self {
        note.clone_into(&mut self.note);
        self
    }
}

/// Plays it. Whatever the server does, this ends in time.
pub(super) async fn play(setting: &Setting<'_>, numbered: Numbered<'_>) -> Played {
    let mut talk = Talk { setting, numbered, wire: None, was_heard: false, dialogue: Vec::new() };
    let ending = match talk.skipped() {
        Some(why) => Ending::with(Outcome::Skipped, why),
        None => match timeout(PROBE_MAX, talk.run()).await {
            Ok(Ok(ending)) => ending,
            Ok(Err(fault)) => talk.failed(&fault),
            Err(_) => talk.failed(&WireFault::Silent),
        },
    };
    talk.quit().await;
    talk.played(ending)
}

/// What is left of a probe that is not played, since the server has answered none for long.
pub(super) fn given_up(setting: &Setting<'_>, numbered: Numbered<'_>) -> Played {
    let talk = Talk { setting, numbered, wire: None, was_heard: false, dialogue: Vec::new() };
    let ending = Ending::with(Outcome::Unanswered, "not tried: the server did not answer before");
    talk.played(ending)
}

struct Talk<'a> {
    setting: &'a Setting<'a>,
    numbered: Numbered<'a>,
    wire: Option<Wire>,
    was_heard: bool,
    dialogue: Vec<Exchange>,
}

impl Talk<'_> {
    fn played(self, ending: Ending) -> Played {
        let Numbered { number, probe } = self.numbered;
        Played {
            number,
            id: probe.id.clone(),
            class: probe.class.clone(),
            tried: self.tried(),
            said: ending.said,
            outcome: ending.outcome,
            note: ending.note,
            may_be_local: probe.local_ok,
            dialogue: self.dialogue,
        }
    }

    /// Why it cannot be played.
    fn skipped(&self) -> Option<&'static str> {
        let probe = self.numbered.probe;
        match probe.kind {
            Kind::Fixture => Some("needs an environment that is made for it"),
            Kind::Smuggle if self.setting.token.is_none() => Some("sends a mail: needs a sink"),
            _ if probe.needs.contains(&Need::Auth) => Some("needs a login"),
            _ => None,
        }
    }

    async fn run(&mut self) -> Result<Ending, WireFault> {
        match self.numbered.probe.kind {
            Kind::Envelope => self.envelope().await,
            Kind::Dialogue => self.steps().await,
            Kind::Smuggle => self.smuggle().await,
            Kind::TlsInject => self.inject().await,
            Kind::Fixture => Ok(Ending::with(Outcome::Skipped, "")),
        }
    }

    /// A server that answered and then hung up has refused; one that never answered has said nothing.
    fn failed(&self, fault: &WireFault) -> Ending {
        let outcome = match fault {
            WireFault::Closed | WireFault::Tls(_) if self.was_heard => Outcome::Refused,
            _ => Outcome::Unanswered,
        };
        Ending::with(outcome, shown(&fault.to_string()))
    }

    fn tried(&self) -> String {
        let (probe, values) = (self.numbered.probe, self.setting.values);
        let text = match probe.kind {
            Kind::Dialogue => {
                let sent = probe.steps.iter().filter_map(|step| step.send.as_deref());
                sent.map(|it| values.fill(it).trim_end().to_owned()).collect::<Vec<_>>().join(" · ")
            }
            Kind::TlsInject => {
                format!("STARTTLS · {}", values.fill(probe.inject.as_deref().unwrap_or_default()).trim())
            }
            Kind::Smuggle => format!(
                "a second mail behind {:?}, RCPT TO:{}",
                probe.eod.as_deref().unwrap_or_default(),
                values.fill(probe.smuggled_rcpt.as_deref().unwrap_or_default())
            ),
            Kind::Envelope | Kind::Fixture => {
                format!("MAIL FROM:{} · RCPT TO:{}", values.fill(&probe.mail_from), values.fill(&probe.rcpt_to))
            }
        };
        shown(&text)
    }

    // Conversation.

    async fn dial(&mut self) -> Result<(), WireFault> {
        self.wire = None;
        let Setting { server, source, times, .. } = *self.setting;
        self.wire = Some(Wire::connect(server, source, times).await?);
        Ok(())
    }

    /// Connects and reads the greeting; who is not greeted is not served.
    async fn greeted(&mut self) -> Result<(), WireFault> {
        self.dial().await?;
        let greeting = self.wire()?.reply().await?;
        self.heard("", std::slice::from_ref(&greeting));
        if greeting.code == 220 { Ok(()) } else { Err(WireFault::Unwelcome(greeting.to_string())) }
    }

    /// EHLO, or HELO where that is not known.
    async fn hello(&mut self) -> Result<(), WireFault> {
        let reply = self.say("EHLO {helo}\r\n").await?;
        let reply = if reply.is_permanent() { self.say("HELO {helo}\r\n").await? } else { reply };
        if reply.is_positive() { Ok(()) } else { Err(WireFault::Unwelcome(reply.to_string())) }
    }

    async fn say(&mut self, text: &str) -> Result<Response, WireFault> {
        self.send(text).await?;
        self.hear(text).await
    }

    async fn send(&mut self, text: &str) -> Result<(), WireFault> {
        let octets = self.setting.values.octets(text, self.numbered.probe.charset);
        self.wire()?.send(&octets).await
    }

    async fn hear(&mut self, sent: &str) -> Result<Response, WireFault> {
        let reply = self.wire()?.reply().await?;
        self.heard(sent, std::slice::from_ref(&reply));
        Ok(reply)
    }

    fn heard(&mut self, sent: &str, replies: &[Response]) {
        self.was_heard |= !replies.is_empty();
        if self.dialogue.len() < EXCHANGES_MAX {
            let said = replies.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ");
            let sent = shown(self.setting.values.fill(sent).trim_end_matches(['\r', '\n']));
            self.dialogue.push(Exchange { sent, said: shown(&said) });
        }
    }

    fn wire(&mut self) -> Result<&mut Wire, WireFault> {
        self.wire.as_mut().ok_or(WireFault::Closed)
    }

    /// Says goodbye. Nobody waits for the answer: some servers hold theirs back.
    async fn quit(&mut self) {
        if let Some(mut wire) = self.wire.take() {
            let _ = wire.send(b"QUIT\r\n").await;
        }
    }

    // The kinds.

    async fn envelope(&mut self) -> Result<Ending, WireFault> {
        let probe = self.numbered.probe;
        self.greeted().await?;
        self.hello().await?;
        let sender = self.say(&format!("MAIL FROM:{}\r\n", probe.mail_from)).await?;
        if !sender.is_positive() {
            return Ok(self.judged(&sender, "at the sender"));
        }
        let recipient = self.say(&format!("RCPT TO:{}\r\n", probe.rcpt_to)).await?;
        self.decide(&recipient).await
    }

    async fn steps(&mut self) -> Result<Ending, WireFault> {
        let steps = &self.numbered.probe.steps;
        if steps.first().is_some_and(|step| step.prebanner) {
            self.dial().await?;
        } else {
            self.greeted().await?;
        }
        let mut last: Option<Response> = None;
        let mut decided: Option<Option<Response>> = None;
        for step in steps {
            let code = last.as_ref().map(|reply| reply.code);
            if step.only_after.is_some() && step.only_after != code {
                continue;
            }
            if step.reconnect {
                self.greeted().await?;
            } else if step.tls {
                match last.take() {
                    Some(reply) if reply.code == 220 => self.secure().await?,
                    Some(reply) => return Ok(self.judged(&reply, "no TLS")),
                    None => return Err(WireFault::Closed),
                }
            } else if let Some(send) = &step.send {
                let replies = self.step(send, step).await?;
                match (step.mark, &step.mark_reply) {
                    (Some(Mark::Refuse), _) => return Ok(refuse(replies.last())),
                    (Some(Mark::Rcpt), Some(MarkReply::Data(_))) => return self.by_data(&replies).await,
                    (Some(Mark::Rcpt), Some(MarkReply::At(at))) => {
                        decided = Some(replies.get(usize::from(*at).saturating_sub(1)).cloned());
                    }
                    (Some(Mark::Rcpt), None) => decided = Some(replies.last().cloned()),
                    (None, _) => {}
                }
                last = replies.last().cloned();
            }
        }
        match decided.flatten() {
            Some(reply) => self.decide(&reply).await,
            None => Ok(Ending::with(Outcome::Refused, "the recipient was not answered")),
        }
    }

    async fn step(&mut self, send: &str, step: &Step) -> Result<Vec<Response>, WireFault> {
        self.send(send).await?;
        let replies = match step.replies {
            Replies::All(_) => self.wire()?.replies().await,
            Replies::Count(count) => {
                let mut replies = Vec::new();
                for _ in 0..count {
                    replies.push(self.wire()?.reply().await?);
                }
                replies
            }
        };
        self.heard(send, &replies);
        Ok(replies)
    }

    async fn secure(&mut self) -> Result<(), WireFault> {
        let wire = self.wire.take().ok_or(WireFault::Closed)?;
        self.wire = Some(wire.start_tls().await?);
        Ok(())
    }

    /// Everything was said before the greeting: with a sink DATA decides, else whether all of it was taken.
    async fn by_data(&mut self, replies: &[Response]) -> Result<Ending, WireFault> {
        /// Greeting, EHLO, MAIL, RCPT.
        const WHOLE: usize = 4;
        let Some(last) = replies.last() else { return Err(WireFault::Closed) };
        if replies.len() >= WHOLE && replies.iter().all(|reply| reply.code < 400) {
            self.decide(last).await
        } else {
            Ok(Ending::of(Outcome::Refused, last))
        }
    }

    /// What a reply to the recipient comes to; where it was taken and there is a sink, the mail follows.
    async fn decide(&mut self, recipient: &Response) -> Result<Ending, WireFault> {
        let ending = self.judged(recipient, "");
        if !matches!(ending.outcome, Outcome::Accepted | Outcome::Local) {
            return Ok(ending);
        }
        match self.setting.token {
            Some(token) if self.names_target() => self.deliver(token).await,
            _ => {
                let _ = self.send("RSET\r\n").await;
                Ok(ending)
            }
        }
    }

    fn judged(&self, reply: &Response, note: &str) -> Ending {
        let outcome = match of_reply(reply) {
            Outcome::Accepted if self.numbered.probe.local_ok => Outcome::Local,
            Outcome::Deferred if self.numbered.probe.local_ok => Outcome::Refused,
            Outcome::Refused if self.numbered.probe.class == "plain" && is_of_the_domain(reply) => Outcome::Deferred,
            outcome => outcome,
        };
        Ending::of(outcome, reply).noting(note)
    }

    /// Whether the mail could reach the sink: none is sent that can only go to somebody else.
    fn names_target(&self) -> bool {
        let values = self.setting.values;
        let recipient = match self.numbered.probe.kind {
            Kind::Dialogue => return true,
            _ => values.fill(&self.numbered.probe.rcpt_to).to_lowercase(),
        };
        recipient.contains(&values.target_domain.to_lowercase())
    }

    async fn deliver(&mut self, token: &Token) -> Result<Ending, WireFault> {
        let ready = self.say("DATA\r\n").await?;
        if ready.code != 354 {
            return Ok(self.judged(&ready, "at DATA"));
        }
        let mail = mail::text(self.setting.values, &token.of(self.numbered.number)) + ".\r\n";
        self.wire()?.send(mail.as_bytes()).await?;
        let taken = self.hear("(the mail)").await?;
        let outcome = if taken.is_positive() { Outcome::Sent } else { of_reply(&taken) };
        Ok(Ending::of(outcome, &taken).noting("after the mail"))
    }

    /// A mail to a user of the server, with an end of data in it that is none, and a second mail behind.
    async fn smuggle(&mut self) -> Result<Ending, WireFault> {
        let probe = self.numbered.probe;
        let mark = self.setting.token.map(|token| token.of(self.numbered.number)).unwrap_or_default();
        self.greeted().await?;
        self.hello().await?;
        let (sender, recipient) =
            (format!("MAIL FROM:{}\r\n", probe.mail_from), format!("RCPT TO:{}\r\n", probe.rcpt_to));
        for command in [sender.as_str(), recipient.as_str(), "DATA\r\n"] {
            let reply = self.say(command).await?;
            if reply.code >= 400 {
                return Ok(Ending::of(Outcome::Skipped, &reply).noting("the server's own user gets no mail from here"));
            }
        }
        let values = self.setting.values;
        let mut octets = values.octets("Subject: Relay test, outer mail\r\n\r\nouter", Charset::Latin1);
        octets.extend(values.octets(probe.eod.as_deref().unwrap_or_default(), Charset::Latin1));
        let target = probe.smuggled_rcpt.as_deref().unwrap_or_default();
        octets.extend(
            values.octets(&format!("MAIL FROM:{}\r\nRCPT TO:{target}\r\nDATA\r\n", probe.mail_from), probe.charset),
        );
        octets.extend_from_slice(mail::text(values, &mark).as_bytes());
        octets.extend_from_slice(b".\r\n");
        self.wire()?.send(&octets).await?;
        let first = self.hear("(the mail)").await?;
        let others = self.wire()?.replies().await;
        self.heard("", &others);
        // MAIL alone is no relaying yet, though the server is open to smuggling: it says no to the recipient.
        Ok(match (others.first(), others.get(1)) {
            (Some(sender), Some(recipient)) if sender.code == 250 && is_taken(recipient) => {
                Ending::of(Outcome::Sent, recipient).noting(SMUGGLED)
            }
            (Some(sender), recipient) if sender.code == 250 => {
                Ending::of(Outcome::Refused, recipient.unwrap_or(&first)).noting(SMUGGLED)
            }
            _ => Ending::of(Outcome::Refused, &first),
        })
    }

    /// A command in the clear behind STARTTLS, which must not be obeyed under TLS.
    async fn inject(&mut self) -> Result<Ending, WireFault> {
        let inject = self.numbered.probe.inject.as_deref().unwrap_or_default();
        self.greeted().await?;
        self.hello().await?;
        let ready = self.say(&format!("STARTTLS\r\n{inject}")).await?;
        match ready.code {
            220 => self.secure().await?,
            500..=504 => return Ok(Ending::of(Outcome::Skipped, &ready).noting("no STARTTLS")),
            _ => return Ok(Ending::of(Outcome::Refused, &ready)),
        }
        let obeyed = self.wire()?.replies().await;
        self.heard("(under TLS)", &obeyed);
        Ok(match obeyed.iter().find(|reply| reply.code < 400) {
            Some(reply) => Ending::of(Outcome::Accepted, reply).noting("a command from before TLS was obeyed"),
            None => Ending::with(Outcome::Refused, "not obeyed"),
        })
    }
}

/// Whether a recipient was taken (RFC 5321 §4.3.2).
fn is_taken(reply: &Response) -> bool {
    matches!(reply.code, 250..=252)
}

/// What must be refused: anything but that leaves a doubt.
fn refuse(reply: Option<&Response>) -> Ending {
    match reply {
        Some(reply) if reply.code < 400 => Ending::of(Outcome::Accepted, reply),
        Some(reply) => Ending::of(Outcome::Refused, reply),
        None => Ending::with(Outcome::Refused, "not answered"),
    }
}

/// A text for people and programs: control characters by name, and cut.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(SHOWN_MAX) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
