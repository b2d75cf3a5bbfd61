//! POP3: sessions of crate `pop3` with the accounts and the mailboxes behind them.
//!
//! `driver` moves octets, `answers` answers the session's questions, `maildrop` is the open maildrop on its blocking thread.

mod answers;
mod driver;
mod maildrop;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pop3::{Peer, Session};

use self::answers::Answers;
use self::driver::Driver;
use super::border::{Client, Opened};
use listen::Wire;

/// Serves one connection to its end.
pub async fn serve(client: Client, opened: Opened) {
    let Opened { stream, tls } = opened;
    let kept = client.border.sources.directory.secrets_kept().await;
    // Many clients take APOP wherever the stamp is, also for a password that they could send under TLS.
    let by_apop = if tls.is_some() { kept.devices_everywhere } else { kept.devices };
    let apop_banner = if by_apop { banner(&client) } else { None };
    let peer = Peer { tls: tls.is_some(), apop_banner };
    let session = Session::new(Arc::clone(client.listener.pop3.to(kept)), peer, Instant::now());
    Driver::new(Wire::new(stream), session, Answers::new(client, tls)).run().await;
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
