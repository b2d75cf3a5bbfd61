//! DRAC adds over UDP with many on their way at once, as a busy farm of POP servers sends them; and a server that says yes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::args::Args;

const PROGRAM: u32 = 900_101;
/// An add of version 1, in octets.
const CALL_OCTETS: usize = 44;
/// A reply to it.
const REPLY_OCTETS: usize = 28;
/// Where a call's xid, and a reply's result stand.
const RESULT_AT: usize = 24;
/// Calls whose replies have not come by then are lost.
const LOST_AFTER: Duration = Duration::from_millis(500);
/// The first address that is added.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// Adds one address after the other, `--in-flight` at a time, for `--seconds` or until `--total` were answered, and prints how many were answered "succeeded".
pub async fn load(args: &Args<'_>) -> Result<(), String> {
    let server: SocketAddr = args.required("server")?;
    let limit = Duration::from_secs_f64(args.required("seconds")?);
    let adder = Adder {
        socket: bound(&format!("{}:0", args.text("source").unwrap_or("127.0.0.1"))).await?,
        in_flight: args.optional("in-flight")?.unwrap_or(1_000),
        addresses: args.optional("addresses")?.unwrap_or(1_000_000),
        first: args.optional("first")?.unwrap_or(FIRST).to_bits(),
        total: args.optional("total")?.unwrap_or(u64::MAX),
    };
    adder.socket.connect(server).await.map_err(|error| error.to_string())?;
    let (good, bad, lost, elapsed) = adder.run(limit).await.map_err(|error| error.to_string())?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = good as f64 / elapsed.as_secs_f64();
    println!(
        "{{\"unit\":\"adds\",\"good\":{good},\"bad\":{bad},\"lost\":{lost},\"seconds\":{:.6},\"per_second\":{rate:.1},\
         \"first_bad\":\"another result than succeeded\"}}",
        elapsed.as_secs_f64()
    );
    Ok(())
}

struct Adder {
    socket: UdpSocket,
    in_flight: u32,
    addresses: u32,
    first: u32,
    total: u64,
}

impl Adder {
    async fn run(&self, limit: Duration) -> io::Result<(u64, u64, u64, Duration)> {
        let start = Instant::now();
        let (mut sent, mut good, mut bad, mut lost) = (0_u32, 0_u64, 0_u64, 0_u64);
        let (mut out, mut reply) = (call(), [0; 64]);
        let mut waiting = 0_u32;
        while start.elapsed() < limit && good < self.total {
            while waiting < self.in_flight {
                out[..4].copy_from_slice(&sent.to_be_bytes());
                out[40..].copy_from_slice(&(self.first + sent % self.addresses).to_be_bytes());
                match self.socket.try_send(&out) {
                    Ok(_) => (sent, waiting) = (sent.wrapping_add(1), waiting + 1),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if tokio::time::timeout(LOST_AFTER, self.socket.readable()).await.is_err() {
                lost += u64::from(waiting);
                waiting = 0;
                continue;
            }
            while let Ok(octets) = self.socket.try_recv(&mut reply) {
                waiting = waiting.saturating_sub(1);
                let yes = octets == REPLY_OCTETS && reply[RESULT_AT..REPLY_OCTETS] == [0; 4];
                *(if yes { &mut good } else { &mut bad }) += 1;
            }
        }
        Ok((good, bad, lost, start.elapsed()))
    }
}

/// The words of an add, but for xid and address.
fn call() -> [u8; CALL_OCTETS] {
    let mut out = [0; CALL_OCTETS];
    for (at, word) in [(8, 2), (12, PROGRAM), (16, 1), (20, 1)] {
        out[at..at + 4].copy_from_slice(&u32::to_be_bytes(word));
    }
    out
}

/// Says "succeeded" to every call, and stores nothing: what UDP and the load can do at most.
pub async fn null(address: &str) -> Result<(), String> {
    let socket = bound(address).await?;
    let mut octets = [0; 128];
    loop {
        socket.readable().await.map_err(|error| error.to_string())?;
        while let Ok((length, peer)) = socket.try_recv_from(&mut octets) {
            if length < CALL_OCTETS {
                continue;
            }
            let mut reply = [0; REPLY_OCTETS];
            reply[..4].copy_from_slice(&octets[..4]);
            reply[7] = 1;
            // A full buffer loses it, as it would a real one.
            let _ = socket.try_send_to(&reply, peer);
        }
    }
}

async fn bound(address: &str) -> Result<UdpSocket, String> {
    UdpSocket::bind(address).await.map_err(|error| format!("{address}: {error}"))
}
