//! One connection to the probed server. Whatever it sends, or does not send, has a bound: in octets by the reader of replies, in
//! time by a moment that slow octets do not put off.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls_pki_types::ServerName;
use smtp::client::{Response, ResponseLimits, ResponseReader};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use crate::tls::trust::Recorder;

/// Octets of one reply: a server that goes on says nothing.
const REPLY_OCTETS_MAX: usize = 64 * 1024;
/// Replies that are read when all are wanted.
const REPLIES_MAX: usize = 32;

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// For a connection, a whole reply, or until what is sent is taken.
    pub(super) reply: Duration,
    /// After this long without a reply no more is expected, where their number is not known.
    pub(super) quiet: Duration,
}

/// Why a connection tells nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireFault {
    #[error("no connection: {0}")]
    NoConnection(String),
    #[error("the server closed the connection")]
    Closed,
    #[error("no answer in time")]
    Silent,
    #[error("not SMTP: {0}")]
    Garbage(String),
    #[error("no TLS: {0}")]
    Tls(String),
    #[error("the server does not serve us: {0}")]
    Unwelcome(String),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    reader: ResponseReader,
    times: Times,
    server: IpAddr,
    own: Option<IpAddr>,
}

impl Wire {
    /// Connects, from `source` if that is given.
    pub(super) async fn connect(server: SocketAddr, source: Option<IpAddr>, times: Times) -> Result<Self, WireFault> {
        let connecting = async {
            let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            if let Some(source) = source {
                socket.bind(SocketAddr::new(source, 0))?;
            }
            let stream: TcpStream = socket.connect(server).await?;
            stream.set_nodelay(true)?;
            io::Result::Ok(stream)
        };
        match timeout(times.reply, connecting).await {
            Ok(Ok(stream)) => {
                let own = stream.local_addr().ok().map(|own| own.ip().to_canonical());
                Ok(Self { stream: Box::new(stream), reader: reader(), times, server: server.ip(), own })
            }
            Ok(Err(error)) => Err(WireFault::NoConnection(error.to_string())),
            Err(_) => Err(WireFault::NoConnection("it took too long".to_owned())),
        }
    }

    /// The own end of it.
    pub(super) fn own_address(&self) -> Option<IpAddr> {
        self.own
    }

    /// Sends octets as they are.
    pub(super) async fn send(&mut self, octets: &[u8]) -> Result<(), WireFault> {
        let sending = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        match timeout(self.times.reply, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(WireFault::Closed),
            Err(_) => Err(WireFault::Silent),
        }
    }

    /// The next whole reply.
    pub(super) async fn reply(&mut self) -> Result<Response, WireFault> {
        self.reply_within(self.times.reply).await
    }

    /// Replies until the server is quiet, ends the connection, or has sent enough.
    pub(super) async fn replies(&mut self) -> Vec<Response> {
        let mut replies = Vec::new();
        while replies.len() < REPLIES_MAX
            && let Ok(reply) = self.reply_within(self.times.quiet).await
        {
            replies.push(reply);
        }
        replies
    }

    async fn reply_within(&mut self, within: Duration) -> Result<Response, WireFault> {
        let until = Instant::now() + within;
        let mut octets = [0; 4096];
        loop {
            let next = self.reader.next_response().map_err(|error| WireFault::Garbage(error.to_string()))?;
            if let Some(reply) = next {
                return Ok(reply);
            }
            match timeout_at(until, self.stream.read(&mut octets)).await {
                Ok(Ok(0) | Err(_)) => return Err(WireFault::Closed),
                Ok(Ok(read)) => self.reader.push(&octets[..read]),
                Err(_) => return Err(WireFault::Silent),
            }
        }
    }

    /// Goes on under TLS; what came in the clear and was not read is forgotten.
    pub(super) async fn start_tls(self) -> Result<Self, WireFault> {
        let Self { stream, times, server, own, .. } = self;
        let (config, _) =
            Recorder::client(rustls::DEFAULT_VERSIONS).map_err(|error| WireFault::Tls(error.to_string()))?;
        let name = ServerName::IpAddress(server.into());
        match timeout(times.reply, TlsConnector::from(config).connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Self { stream: Box::new(stream), reader: reader(), times, server, own }),
            Ok(Err(error)) => Err(WireFault::Tls(error.to_string())),
            Err(_) => Err(WireFault::Silent),
        }
    }
}

fn reader() -> ResponseReader {
    ResponseReader::new(ResponseLimits { reply_octets_max: REPLY_OCTETS_MAX, ..ResponseLimits::default() })
}
