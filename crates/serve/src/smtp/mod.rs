//! SMTP and submission: sessions of crate `smtp` with the guard, the accounts and the queue behind them.
//!
//! `driver` moves octets, `answers` answers the session's questions, `judge` asks the guard, `message` takes a message to the queue,
//! `origin` says who brought it, `header` knows the fields that we write above it.

mod admit;
mod answers;
mod driver;
pub mod header;
mod judge;
mod message;
mod origin;
mod transaction;

use std::sync::Arc;
use std::time::Instant;

use smtp::server::{Peer, Session};

use self::answers::Answers;
use self::driver::Driver;
use super::border::{Client, Opened};
use listen::Wire;

/// Serves one connection to its end.
pub async fn serve(client: Client, opened: Opened) {
    let Opened { stream, tls } = opened;
    let settings = &client.listener.settings;
    // Behind a PROXY header is anybody: such a session never has the right that its peer has for itself (T6).
    let proxied = settings.proxy_from.iter().any(|net| net.contains(&client.peer));
    let listed = !proxied && settings.xclient_from.iter().any(|net| net.contains(&client.peer));
    let trusted = client.site.terms.policy.relay.is_relay_network(client.ip);
    let peer = Peer { addr: client.ip, xclient: listed, trusted, tls: tls.is_some() };
    let kept = client.border.sources.directory.secrets_kept().await;
    let session = Session::new(Arc::clone(client.listener.smtp.to(kept)), peer, Instant::now());
    Driver::new(Wire::new(stream), session, Answers::new(client, tls)).run().await;
}
