//! SMTP sessions: mail that is accepted, and relaying that is refused.

use std::fmt::Write as _;

use crate::args::Args;
use crate::clients::{self, Clients};
use crate::load::Session;
use crate::wire::{Bad, Wire};

const EHLO: &[u8] = b"EHLO load.example\r\n";

/// Mail that must be accepted. One message per session goes step by step, as most mail on the Internet does; several go
/// pipelined (RFC 2920): MAIL, RCPT and DATA in one write, the message in the next.
pub struct Accept {
    envelopes: Vec<Envelope>,
    per_session: u64,
    message: Vec<u8>,
    /// Whom a proxy tells of, instead of who connects.
    clients: Option<Clients>,
}

struct Envelope {
    mail: Vec<u8>,
    rcpt: Vec<u8>,
    together: Vec<u8>,
}

impl Accept {
    pub fn new(args: &Args<'_>) -> Result<Self, String> {
        let from = args.text("from").unwrap_or("load@stranger.example");
        let envelopes = args.list("to")?.into_iter().map(|to| Envelope::new(from, to)).collect();
        let octets = args.optional("octets")?.unwrap_or(4096);
        let per_session = args.optional("per-session")?.unwrap_or(1).max(1);
        Ok(Self { envelopes, per_session, message: message(from, octets), clients: Clients::new(args)? })
    }

    /// Up to the answer to EHLO. A client of a proxy greets with its own name.
    async fn greet(&self, wire: &mut Wire, turn: u64) -> Result<(), Bad> {
        let Some(clients) = &self.clients else {
            wire.expect("220").await?;
            return wire.ask(EHLO, "250").await;
        };
        let client = clients.of_turn(turn);
        let mut line = String::with_capacity(80);
        // Writing into a string does not fail.
        let _ = write!(line, "PROXY TCP4 {client} 198.51.100.25 40404 25\r\n");
        wire.ask(line.as_bytes(), "220").await?;
        line.clear();
        let _ = write!(line, "EHLO {}\r\n", clients::name(client));
        wire.ask(line.as_bytes(), "250").await
    }

    async fn step_by_step(&self, wire: &mut Wire, envelope: &Envelope) -> Result<(), Bad> {
        wire.ask(&envelope.mail, "250").await?;
        wire.ask(&envelope.rcpt, "250").await?;
        wire.ask(b"DATA\r\n", "354").await?;
        wire.ask(&self.message, "250").await
    }

    async fn pipelined(&self, wire: &mut Wire, envelope: &Envelope) -> Result<(), Bad> {
        wire.ask(&envelope.together, "250").await?;
        wire.expect("250").await?;
        wire.expect("354").await?;
        wire.ask(&self.message, "250").await
    }
}

impl Envelope {
    fn new(from: &str, to: &str) -> Self {
        let (mail, rcpt) = (format!("MAIL FROM:<{from}>\r\n"), format!("RCPT TO:<{to}>\r\n"));
        let together = format!("{mail}{rcpt}DATA\r\n").into_bytes();
        Self { mail: mail.into_bytes(), rcpt: rcpt.into_bytes(), together }
    }
}

impl Session for Accept {
    const UNIT: &'static str = "messages";

    fn worth(&self) -> u64 {
        self.per_session
    }

    async fn run(&self, wire: &mut Wire, _worker: usize, turn: u64) -> Result<(), Bad> {
        self.greet(wire, turn).await?;
        for message in 0..self.per_session {
            let index = usize::try_from(turn * self.per_session + message).unwrap_or(0) % self.envelopes.len();
            let envelope = &self.envelopes[index];
            match self.per_session {
                1 => self.step_by_step(wire, envelope).await?,
                _ => self.pipelined(wire, envelope).await?,
            }
        }
        wire.ask(b"QUIT\r\n", "221").await
    }
}

/// A stranger who wants to relay, and must get a 5xx.
pub struct Refuse {
    mail: Vec<u8>,
    rcpt: Vec<u8>,
}

impl Refuse {
    pub fn new(args: &Args<'_>) -> Result<Self, String> {
        let from = args.text("from").unwrap_or("load@stranger.example");
        let Envelope { mail, rcpt, .. } = Envelope::new(from, &args.required::<String>("to")?);
        Ok(Self { mail, rcpt })
    }
}

impl Session for Refuse {
    const UNIT: &'static str = "sessions";

    fn worth(&self) -> u64 {
        1
    }

    async fn run(&self, wire: &mut Wire, _worker: usize, _turn: u64) -> Result<(), Bad> {
        wire.expect("220").await?;
        wire.ask(EHLO, "250").await?;
        wire.ask(&self.mail, "250").await?;
        wire.ask(&self.rcpt, "5").await?;
        wire.ask(b"QUIT\r\n", "221").await
    }
}

/// A message of so many octets, with its dot.
pub fn message(from: &str, octets: usize) -> Vec<u8> {
    let mut text = format!(
        "From: <{from}>\r\nTo: bench <bench@example.test>\r\nSubject: a message of the bench\r\n\
         Date: Sun, 01 Nov 2026 09:00:00 +0900\r\nMessage-ID: <bench@load.example>\r\n\r\n"
    );
    // Lines of 72 octets of text; the last is what is left, and never a dot.
    while text.len() + 2 < octets {
        let left = octets - text.len() - 2;
        text.extend(std::iter::repeat_n('x', left.min(72)));
        text.push_str("\r\n");
    }
    text.push_str(".\r\n");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn a_message_has_one_end_and_about_the_size_asked_for() {
        for octets in 300..600 {
            let message = message("a@b.example", octets);
            let ends = message.windows(5).filter(|window| window == b"\r\n.\r\n").count();
            assert_eq!(ends, 1);
            assert!(message.ends_with(b"\r\n.\r\n"));
            assert!(message.len().abs_diff(octets + 3) <= 2, "{} for {octets}", message.len());
        }
    }
}
