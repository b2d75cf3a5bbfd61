//! Questions of Postfix's policy delegation, as an smtpd asks them: one, its answer, the next.

use crate::args::Args;
use crate::load::{Session, loopback};
use crate::wire::{Bad, Wire};

/// Clients that ask for different addresses.
const CLIENTS: u64 = 1_000;

/// A connection on which so many questions are asked.
pub struct Ask {
    per_session: u64,
    from: String,
    to: String,
}

impl Ask {
    pub fn new(args: &Args<'_>) -> Result<Self, String> {
        let per_session = args.optional("per-session")?.unwrap_or(200);
        Ok(Self { per_session, from: args.required("from")?, to: args.required("to")? })
    }
}

impl Session for Ask {
    const UNIT: &'static str = "requests";

    fn worth(&self) -> u64 {
        self.per_session
    }

    async fn run(&self, wire: &mut Wire, worker: usize, turn: u64) -> Result<(), Bad> {
        let mut request = String::with_capacity(512);
        for number in 0..self.per_session {
            let client = loopback(u32::try_from((turn * self.per_session + number) % CLIENTS).unwrap_or(0));
            request.clear();
            self.write(&mut request, &format!("{worker:x}.{turn:x}.{number:x}"), &client.to_string());
            wire.ask(request.as_bytes(), "action=").await?;
            wire.expect("\n").await?;
        }
        Ok(())
    }
}

impl Ask {
    /// What Postfix 3.7 sends at RCPT.
    fn write(&self, out: &mut String, instance: &str, client: &str) {
        let attributes = [
            ("request", "smtpd_access_policy"),
            ("protocol_state", "RCPT"),
            ("protocol_name", "ESMTP"),
            ("client_address", client),
            ("client_name", "unknown"),
            ("client_port", "40404"),
            ("reverse_client_name", "unknown"),
            ("server_address", "127.0.0.1"),
            ("server_port", "25"),
            ("helo_name", "client.example"),
            ("sender", &self.from),
            ("recipient", &self.to),
            ("recipient_count", "0"),
            ("queue_id", ""),
            ("instance", instance),
            ("size", "4096"),
            ("etrn_domain", ""),
            ("stress", ""),
            ("sasl_method", ""),
            ("sasl_username", ""),
            ("sasl_sender", ""),
            ("ccert_subject", ""),
            ("ccert_issuer", ""),
            ("ccert_fingerprint", ""),
            ("ccert_pubkey_fingerprint", ""),
            ("encryption_protocol", ""),
            ("encryption_cipher", ""),
            ("encryption_keysize", "0"),
            ("policy_context", ""),
        ];
        for (name, value) in attributes {
            out.push_str(name);
            out.push('=');
            out.push_str(value);
            out.push('\n');
        }
        out.push('\n');
    }
}
