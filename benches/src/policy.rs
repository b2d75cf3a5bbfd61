//! Questions of Postfix's policy delegation, as an smtpd asks them: one, its answer, the next.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::args::Args;
use crate::clients;
use crate::load::{Session, loopback};
use crate::wire::{Bad, Wire};

/// Clients that ask for different addresses.
const CLIENTS: u32 = 1_000;

/// A connection on which so many questions are asked.
pub struct Ask {
    per_session: u64,
    /// What stands before, between and behind the client's address and the instance, made once: the load shall not cost
    /// more than it must.
    pieces: [String; 3],
    clients: Vec<String>,
    /// How an answer must begin.
    expect: String,
}

impl Ask {
    pub fn new(args: &Args<'_>) -> Result<Self, String> {
        let per_session = args.optional("per-session")?.unwrap_or(200);
        let (from, to) = (args.required::<String>("from")?, args.required::<String>("to")?);
        let clients = clients::told_of(args, || (0..CLIENTS).map(loopback).collect())?;
        let clients = clients.iter().map(IpAddr::to_string).collect();
        let expect = args.text("expect").unwrap_or("action=").to_owned();
        Ok(Self { per_session, pieces: pieces(&from, &to), clients, expect })
    }
}

impl Session for Ask {
    const UNIT: &'static str = "requests";

    fn worth(&self) -> u64 {
        self.per_session
    }

    async fn run(&self, wire: &mut Wire, worker: usize, turn: u64) -> Result<(), Bad> {
        let mut request = String::with_capacity(1024);
        let [head, middle, tail] = &self.pieces;
        // What another run asked about is another message.
        let run = std::process::id();
        for number in 0..self.per_session {
            let client = usize::try_from(turn * self.per_session + number).unwrap_or(0) % self.clients.len();
            request.clear();
            request.push_str(head);
            request.push_str(&self.clients[client]);
            request.push_str(middle);
            // Writing into a string does not fail.
            let _ = write!(request, "{run:x}.{worker:x}.{turn:x}.{number:x}");
            request.push_str(tail);
            wire.ask(request.as_bytes(), &self.expect).await?;
            wire.expect("\n").await?;
        }
        Ok(())
    }
}

/// What Postfix 3.7 sends at RCPT.
fn pieces(from: &str, to: &str) -> [String; 3] {
    let head = "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=";
    let middle = format!(
        "\nclient_name=unknown\nclient_port=40404\nreverse_client_name=unknown\nserver_address=127.0.0.1\nserver_port=25\n\
         helo_name=client.example\nsender={from}\nrecipient={to}\nrecipient_count=0\nqueue_id=\ninstance="
    );
    let tail = "\nsize=4096\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\n\
                ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n\
                encryption_keysize=0\npolicy_context=\n\n";
    [head.to_owned(), middle, tail.to_owned()]
}
