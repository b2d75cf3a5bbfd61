//! What systemd is told of the server (sd_notify(3)): ready, reloading, stopping, alive. Without systemd nobody is told anything.
//!
//! It is our own, since the crate for it does not reach a socket without a file, as systemd names one in containers.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;
use tracing::warn;

/// Pings in the time after which systemd takes the server for dead.
const PINGS: u32 = 3;

/// Everything listens; of a reload: it is over.
pub(crate) fn ready() {
    tell("READY=1");
}

/// A reload begins. [`ready`] ends it.
pub(crate) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
}

/// The end begins.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

/// Shows that the server's tasks go on, as often as systemd wants it; until it is dropped.
pub(crate) fn alive() -> JoinSet<()> {
    let mut task = JoinSet::new();
    if let Some(every) = watchdog().map(|time| time / PINGS).filter(|time| *time > Duration::ZERO) {
        task.spawn(async move {
            loop {
                tell("WATCHDOG=1");
                tokio::time::sleep(every).await;
            }
        });
    }
    task
}

/// After what time without a word it takes us for dead, if it is us that it means (sd_watchdog_enabled(3)).
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_ours =
        std::env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
    number("WATCHDOG_USEC").filter(|_| is_ours).map(Duration::from_micros)
}

fn tell(state: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(socket.as_encoded_bytes(), state)
    {
        warn!(%error, "systemd untold");
    }
}

/// To a path, or to a name that begins with `@`. It does not wait: a manager that does not read must not hold the server up.
fn send(socket: &[u8], state: &str) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::str::from_utf8(socket).map_err(io::Error::other)?)?,
    };
    let from = UnixDatagram::unbound()?;
    from.set_nonblocking(true)?;
    from.send_to_addr(state.as_bytes(), &address).map(drop)
}
