//! POP3 sessions: login, STAT, so many RETR, QUIT, one after the other.

use crate::args::Args;
use crate::load::Session;
use crate::wire::{Bad, Wire};

/// Fetches the first messages of a maildrop and leaves them there. A maildrop is locked while it is read, so there should be
/// at least as many logins as connections.
pub struct Fetch {
    logins: Vec<(Vec<u8>, Vec<u8>)>,
    retr: u32,
}

impl Fetch {
    pub fn new(args: &Args<'_>) -> Result<Self, String> {
        let pair = |login: &str| {
            let (user, pass) = login.split_once(':').ok_or("--login: USER:PASS")?;
            Ok((format!("USER {user}\r\n").into_bytes(), format!("PASS {pass}\r\n").into_bytes()))
        };
        let logins = args.list("login")?.into_iter().map(pair).collect::<Result<_, String>>()?;
        Ok(Self { logins, retr: args.optional("retr")?.unwrap_or(10) })
    }
}

impl Session for Fetch {
    const UNIT: &'static str = "sessions";

    fn worth(&self) -> u64 {
        1
    }

    async fn run(&self, wire: &mut Wire, worker: usize, _turn: u64) -> Result<(), Bad> {
        let (user, pass) = &self.logins[worker % self.logins.len()];
        wire.expect("+OK").await?;
        wire.ask(user, "+OK").await?;
        wire.ask(pass, "+OK").await?;
        wire.ask(b"STAT\r\n", "+OK").await?;
        for number in 1..=self.retr {
            wire.ask(format!("RETR {number}\r\n").as_bytes(), "+OK").await?;
            wire.body().await?;
        }
        wire.ask(b"QUIT\r\n", "+OK").await
    }
}
