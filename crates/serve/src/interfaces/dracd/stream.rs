//! DRAC over TCP: records in, records out, in their order.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use drac::portmap::Transport;
use drac::record::{Records, put_record};
use drac::rpc::Reply;
use drac::server::{Add, Decoded, decode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::desk::{Asked, Desk};

/// How long a client may say nothing.
const IDLE: Duration = Duration::from_mins(2);
/// How long it may leave our replies lying.
const WRITE_WAIT: Duration = Duration::from_secs(30);
/// One read, in octets: at most 170 calls.
const READ_OCTETS: usize = 8192;

/// What is to be said to a record.
enum Said {
    Now(Reply),
    Then(Add),
}

/// Serves a connection until it ends.
pub async fn serve(mut link: impl AsyncRead + AsyncWrite + Unpin, desk: &impl Desk, peer: IpAddr) -> io::Result<()> {
    let mut records = Records::default();
    let mut buffer = vec![0; READ_OCTETS];
    loop {
        let octets = timeout(IDLE, link.read(&mut buffer)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if octets == 0 {
            return Ok(());
        }
        let (said, ended) = take(&mut records, &buffer[..octets]);
        let out = settle(&said, desk, peer).await;
        timeout(WRITE_WAIT, link.write_all(&out)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        ended?;
    }
}

/// The records that are complete. After an error there can be no more; those before it are answered.
fn take(records: &mut Records, mut input: &[u8]) -> (Vec<Said>, io::Result<()>) {
    let mut said = Vec::new();
    loop {
        match records.take(&mut input) {
            Ok(Some(record)) => match decode(record) {
                Decoded::Silence => return (said, Err(io::Error::other("a record is no call"))),
                Decoded::Reply(reply) => said.push(Said::Now(reply)),
                Decoded::Add(add) => said.push(Said::Then(add)),
            },
            Ok(None) => return (said, Ok(())),
            Err(error) => return (said, Err(io::Error::other(error))),
        }
    }
}

async fn settle(said: &[Said], desk: &impl Desk, peer: IpAddr) -> Vec<u8> {
    let adds = said.iter().filter_map(|said| match said {
        Said::Now(_) => None,
        Said::Then(add) => Some(Asked { peer, over: Transport::Tcp, address: add.address() }),
    });
    let mut results = desk.settle(adds.collect()).await.into_iter();
    let mut out = Vec::new();
    for said in said {
        match said {
            Said::Now(reply) => put_record(&mut out, reply.octets()),
            Said::Then(add) => {
                if let Some(result) = results.next() {
                    put_record(&mut out, add.reply(result).octets());
                }
            }
        }
    }
    out
}
