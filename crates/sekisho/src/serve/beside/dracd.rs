//! DRAC: POP servers tell of logins, over UDP and TCP.

use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::{Served, Visit};
use crate::listen::{Address, Link};
use crate::serve::border::Border;

/// Serves one connection.
#[expect(clippy::unused_async, reason = "not there yet")]
pub async fn serve(_visit: &Visit, _link: Link) -> Served {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Serves datagrams until the server ends.
#[expect(clippy::unused_async, reason = "not there yet")]
pub async fn serve_datagrams(_socket: UdpSocket, _address: Address, _server: (Arc<Border>, watch::Receiver<bool>)) {}
