//! DRAC over UDP: takes all datagrams that are there, has them settled as one, and takes the next meanwhile.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use drac::portmap::Transport;
use drac::server::{Add, DATAGRAM_OCTETS_MAX, Decoded, decode};
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::debug;

use super::desk::{Asked, Desk};

/// Datagrams taken before anything else has its turn, and adds settled as one.
const BATCH_MAX: usize = 512;
/// Adds that wait for the disk. Beyond them the system's buffer fills, and then clients send again.
const IN_FLIGHT_MAX: usize = 16_384;

/// Serves until `stop` turns true. Adds that were taken before are answered still.
pub async fn serve(socket: UdpSocket, desk: Arc<impl Desk>, mut stop: watch::Receiver<bool>) {
    let socket = Arc::new(socket);
    let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut buffer = vec![0; DATAGRAM_OCTETS_MAX];
    loop {
        tokio::select! {
            ready = socket.readable() => if let Err(error) = ready {
                debug!(%error, "datagrams stalled");
                tokio::task::yield_now().await;
            },
            () = stopped(&mut stop) => return,
        }
        let batch = take(&socket, &mut buffer);
        if batch.is_empty() {
            continue;
        }
        let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        // It is never closed.
        let Ok(permit) = Arc::clone(&in_flight).acquire_many_owned(count).await else { return };
        tokio::spawn(settle(Arc::clone(&socket), Arc::clone(&desk), batch, permit));
    }
}

/// Waits until it is true, or nobody is left to make it so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|is| *is).await;
}

/// The adds among the datagrams that are there; what asks for nothing is answered at once.
fn take(socket: &UdpSocket, buffer: &mut [u8]) -> Vec<(Add, SocketAddr)> {
    let mut batch = Vec::new();
    for _ in 0..BATCH_MAX {
        match socket.try_recv_from(buffer) {
            Ok((octets, peer)) => match decode(&buffer[..octets]) {
                Decoded::Silence => {}
                // A reply that finds no room is lost, as on the way; the client asks again.
                Decoded::Reply(reply) => drop(socket.try_send_to(reply.octets(), peer)),
                Decoded::Add(add) => batch.push((add, peer)),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // The fate of an earlier reply: its client is gone.
            Err(error) => debug!(%error, "datagram lost"),
        }
    }
    batch
}

async fn settle(
    socket: Arc<UdpSocket>,
    desk: Arc<impl Desk>,
    batch: Vec<(Add, SocketAddr)>,
    _permit: OwnedSemaphorePermit,
) {
    let asked = |(add, peer): &(Add, SocketAddr)| Asked {
        peer: guard::canonical_ip(peer.ip()),
        over: Transport::Udp,
        address: add.address(),
    };
    let results = desk.settle(batch.iter().map(asked).collect()).await;
    for ((add, peer), result) in batch.iter().zip(results) {
        let reply = add.reply(result);
        let sent = match socket.try_send_to(reply.octets(), *peer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.send_to(reply.octets(), *peer).await,
            sent => sent,
        };
        if let Err(error) = sent {
            debug!(%peer, %error, "reply unsent");
        }
    }
}
