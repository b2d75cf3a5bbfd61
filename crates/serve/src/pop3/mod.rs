//! POP3: sessions of crate `pop3` with the accounts and the mailboxes behind them.
//!
//! `driver` moves octets, `answers` answers the session's questions, `maildrop` is the open maildrop on its blocking thread.

mod answers;
mod driver;
mod maildrop;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pop3::{Peer, Session};
use tokio::sync::watch;

use self::answers::Answers;
use self::driver::Driver;
use super::border::{Client, Opened};
use listen::Wire;

/// Serves one connection to its end.
pub async fn serve(client: Client, opened: Opened, stop: watch::Receiver<bool>) {
    let Opened { stream, tls } = opened;
    let peer = Peer { tls: tls.is_some(), apop_banner: banner(&client) };
    let session = Session::new(client.listener.pop3.clone(), peer, Instant::now());
    Driver::new(Wire::new(stream), session, Answers::new(client, tls)).run(stop).await;
}

/// The timestamp of the greeting (RFC 1939 §7): never the same twice, and not to be guessed.
fn banner(client: &Client) -> Option<String> {
    if !client.site.settings.auth.apop || client.listener.settings.auth == config::AuthOffer::Never {
        return None;
    }
    // Without random octets there is no banner, and so no APOP.
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce).ok()?;
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Some(sasl::apop::timestamp(&nonce, secs, &client.site.settings.hostname))
}
