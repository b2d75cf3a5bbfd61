//! One call over UDP, from the asking side: sent again while no answer comes, and ended when the time is up.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::rpc::{Failure, read_reply};
use crate::server::DATAGRAM_OCTETS_MAX;
use crate::xdr::{Malformed, Reader};

/// When the first retransmission is sent; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// No deadline is further away, whatever the caller asks for.
const WITHIN_MAX: Duration = Duration::from_mins(1);

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer came in time.
    #[error("Timed out")]
    TimedOut,
    /// The system says that nothing can be sent there or comes from there, as when nobody listens.
    #[error("Unable to reach the server: {0}")]
    Io(#[source] io::Error),
    /// The server answered that it cannot.
    #[error("{0}")]
    Failed(#[from] Failure),
}

/// The end of a time that begins now, at most a minute away.
pub(crate) fn deadline(within: Duration) -> Instant {
    Instant::now() + within.min(WITHIN_MAX)
}

/// What is left until then; `None` when it is over.
pub(crate) fn time_left(until: Instant) -> Option<Duration> {
    // The socket takes no timeout of zero, and rounds below a microsecond down to it.
    Some(until.saturating_duration_since(Instant::now())).filter(|left| *left >= Duration::from_millis(1))
}

/// A transaction id that nobody can guess who does not see the call.
pub(crate) fn new_xid() -> u32 {
    let random = RandomState::new().hash_one(0).to_be_bytes();
    u32::from_be_bytes([random[0], random[1], random[2], random[3]])
}

/// Sends `request`, whose first word is its transaction id, over the connected `socket`, and reads the results.
pub(crate) fn call<T>(
    socket: &UdpSocket,
    request: &[u8],
    until: Instant,
    read: impl Fn(Reader<'_>) -> Result<T, Malformed>,
) -> Result<T, CallError> {
    let xid = Reader::new(request).word().map_err(Failure::from)?;
    // A refusal that came too late for the call before this one says nothing about this one.
    socket.take_error().map_err(CallError::Io)?;
    let mut wait = FIRST_WAIT;
    let mut buffer = [0; DATAGRAM_OCTETS_MAX];
    while time_left(until).is_some() {
        send(socket, request)?;
        let again = until.min(Instant::now() + wait);
        wait *= 2;
        while let Some(octets) = receive(socket, &mut buffer, again)? {
            if let Some(answer) = read_reply(&buffer[..octets], xid) {
                return Ok(read(answer?).map_err(Failure::from)?);
            }
        }
    }
    Err(CallError::TimedOut)
}

fn send(socket: &UdpSocket, request: &[u8]) -> Result<(), CallError> {
    match socket.send(request) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(CallError::Io(error)),
        // Interrupted, it is as if the network had lost it.
        _ => Ok(()),
    }
}

/// A datagram's length; `None` when it is time to send again.
fn receive(socket: &UdpSocket, buffer: &mut [u8], again: Instant) -> Result<Option<usize>, CallError> {
    while let Some(left) = time_left(again) {
        socket.set_read_timeout(Some(left)).map_err(CallError::Io)?;
        match socket.recv(buffer) {
            Ok(octets) => return Ok(Some(octets)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => return Err(CallError::Io(error)),
            },
        }
    }
    Ok(None)
}
