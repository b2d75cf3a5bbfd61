//! One connection: the socket, TLS and the clock around a [`smtp::client::Session`]. It decides nothing about mail.

mod login;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use smtp::client::{
    self, ClientError, DotWriter, Event, Input, Protocol, Report, Response, ResponseLimits, Session, Transaction, Wait,
};
use spool::Body;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::Tls;

/// Octets read at a time, and gathered before they are written.
const READ_OCTETS: usize = 4096;
const WRITE_OCTETS: usize = 64 * 1024;
/// One block of the message to the peer (RFC 5321 §4.5.3.2.5), and a TLS handshake.
const BLOCK: Duration = Duration::from_mins(3);
const HANDSHAKE: Duration = Duration::from_mins(1);
/// A farewell is not worth waiting for.
const QUIT: Duration = Duration::from_secs(2);

/// Why a connection cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("timed out waiting for {0}")]
    TimedOut(&'static str),
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("connection closed by the other side")]
    Gone,
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("TLS handshake failed: {0}")]
    Handshake(io::Error),
    #[error("TLS broke after STARTTLS: {0}")]
    BrokenTls(Box<LinkError>),
    #[error("TLS is required, but the host said: {0}")]
    NoTls(Response),
    #[error("TLS is required, but {0:?} cannot be proved by a certificate")]
    Name(String),
    #[error("the host refuses us: {0}")]
    Refused(Response),
    #[error("login failed: {0}")]
    Login(#[from] login::LoginError),
    #[error("the message could not be read: {0}")]
    Body(io::Error),
}

impl LinkError {
    /// In the form of a reply, always a temporary one: a broken connection says nothing about a recipient.
    pub(crate) fn response(&self) -> Response {
        let status = match self {
            Self::Connect(_) => [4, 4, 1],
            Self::TimedOut(_) | Self::Io(_) | Self::Gone => [4, 4, 2],
            Self::Client(_) => [4, 5, 0],
            Self::Handshake(_) | Self::NoTls(_) | Self::Name(_) => [4, 7, 5],
            Self::Refused(_) => [4, 3, 2],
            Self::Login(_) => [4, 7, 8],
            Self::Body(_) => [4, 3, 0],
            Self::BrokenTls(error) => return error.response(),
        };
        Response::local(451, status, self.to_string())
    }

    /// Whether clear text might do what TLS did not.
    pub(crate) fn is_about_tls(&self) -> bool {
        // Octets behind the 220 may be an attack on the TLS session; in clear there is none to attack.
        let behind = matches!(self, Self::Client(ClientError::BytesBehindStartTls));
        behind || matches!(self, Self::Handshake(_) | Self::NoTls(_) | Self::BrokenTls(_))
    }

    /// Whether the connection went, and not the message or a login.
    fn is_loss(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Io(_) | Self::Gone)
    }
}

/// Where a connection goes.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A connection to be made.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// The name that a certificate must prove, and that the log shows.
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Tls,
}

impl Endpoint {
    /// `name[address]:port`, or the path of a socket.
    pub(crate) fn relay(&self) -> Arc<str> {
        match &self.address {
            Address::Tcp(address) => format!("{}[{}]:{}", self.name, address.ip(), address.port()).into(),
            Address::Unix(path) => path.display().to_string().into(),
        }
    }
}

/// What all connections have in common.
pub(crate) struct LinkSettings {
    pub(crate) hostname: String,
    pub(crate) verified: Arc<rustls::ClientConfig>,
    pub(crate) opportunistic: Arc<rustls::ClientConfig>,
    pub(crate) connect: Duration,
    pub(crate) reply: Duration,
}

/// How far the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Protection {
    Clear,
    /// Encrypted towards whoever it is.
    Unproved,
    /// Towards the host named. The octets are its `tls-exporter` (RFC 9266), with TLS 1.3.
    Proved(Option<Vec<u8>>),
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    Unix(UnixStream),
    /// Between clear text and TLS, or after a failed handshake.
    Nothing,
}

impl Stream {
    fn io(&mut self) -> Result<&mut (dyn ReadWrite + '_), LinkError> {
        match self {
            Self::Tcp(stream) => Ok(stream),
            Self::Tls(stream) => Ok(stream.as_mut()),
            Self::Unix(stream) => Ok(stream),
            Self::Nothing => Err(LinkError::Gone),
        }
    }
}

trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

/// An open connection.
pub(crate) struct Link {
    stream: Stream,
    session: Session,
    wire: Vec<u8>,
    protection: Protection,
    reply: Duration,
    /// As the log shows it.
    pub(crate) relay: Arc<str>,
    /// Messages sent over it.
    pub(crate) used: usize,
}

impl Link {
    /// Connects, greets, protects and, with credentials, logs in.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        settings: &LinkSettings,
        credentials: Option<&sasl::client::Credentials>,
    ) -> Result<Self, LinkError> {
        let mut link = Self::connect(endpoint, settings).await?;
        if endpoint.tls == Tls::Implicit {
            link.handshake(endpoint, settings).await?;
        }
        link.await_ready().await?;
        match endpoint.tls {
            Tls::Required => link.start_tls(endpoint, settings).await?,
            Tls::Opportunistic if link.session.capabilities().starttls => link.try_tls(endpoint, settings).await?,
            Tls::Never | Tls::Opportunistic | Tls::Implicit => {}
        }
        if let Some(credentials) = credentials {
            login::log_in(&mut link, credentials).await?;
        }
        Ok(link)
    }

    /// Whether a loss under its first message may be the fault of a TLS that nobody demands.
    pub(crate) fn blames_tls(&self, error: &LinkError) -> bool {
        self.protection == Protection::Unproved && self.used <= 1 && error.is_loss()
    }

    /// Whether another message may go over it.
    pub(crate) fn is_open(&self) -> bool {
        self.session.is_open()
    }

    pub(crate) fn capabilities(&self) -> &client::Capabilities {
        self.session.capabilities()
    }

    fn protection(&self) -> &Protection {
        &self.protection
    }

    /// The session and what it writes to, for the login.
    fn session(&mut self) -> (&mut Session, &mut Vec<u8>) {
        (&mut self.session, &mut self.wire)
    }

    /// Sends one message. The report is always whole; an error says why the connection broke on the way.
    pub(crate) async fn deliver(&mut self, transaction: &Transaction, body: &Body) -> (Report, Option<LinkError>) {
        self.used += 1;
        match self.try_deliver(transaction, body).await {
            Ok(report) => (report, None),
            Err(error) => {
                let unanswered = client::RecipientFate::Unanswered(client::Stage::Mail);
                let nothing = || Report { fates: vec![unanswered; transaction.to.len()] };
                (self.session.abandon().unwrap_or_else(nothing), Some(error))
            }
        }
    }

    /// Asks which recipients would be taken, without a message.
    pub(crate) async fn ask(&mut self, transaction: &Transaction) -> Result<Report, LinkError> {
        self.used += 1;
        if let Some(report) = self.session.ask(transaction, &mut self.wire)? {
            return Ok(report);
        }
        match self.next_event().await? {
            Event::Done(report) => Ok(report),
            _ => Err(ClientError::OutOfPlace("the answer to a question").into()),
        }
    }

    /// Says QUIT and closes; whether it is heard does not matter.
    pub(crate) async fn quit(mut self) {
        self.session.quit(&mut self.wire);
        let _ = timeout(QUIT, self.flush()).await;
        if let Stream::Tls(stream) = &mut self.stream {
            let _ = timeout(QUIT, stream.shutdown()).await;
        }
    }

    /// Resolves when the other side closes or speaks while nothing is asked of it: the connection is of no more use.
    /// Cancel-safe.
    pub(crate) async fn until_spoken_to(&mut self) {
        let mut octets = [0; 64];
        if let Ok(io) = self.stream.io() {
            let _ = io.read(&mut octets).await;
        }
    }

    async fn connect(endpoint: &Endpoint, settings: &LinkSettings) -> Result<Self, LinkError> {
        let connected = timeout(settings.connect, open_socket(&endpoint.address)).await;
        let stream = connected.map_err(|_| LinkError::TimedOut("a connection"))?.map_err(LinkError::Connect)?;
        let config = client::Config {
            hostname: settings.hostname.clone(),
            protocol: endpoint.protocol,
            limits: ResponseLimits::default(),
        };
        Ok(Self {
            stream,
            session: Session::new(config),
            wire: Vec::new(),
            protection: Protection::Clear,
            reply: settings.reply,
            relay: endpoint.relay(),
            used: 0,
        })
    }

    async fn await_ready(&mut self) -> Result<(), LinkError> {
        match self.next_event().await? {
            Event::Ready => Ok(()),
            Event::Refused(response) | Event::Closing(response) => Err(LinkError::Refused(response)),
            _ => Err(ClientError::OutOfPlace("the answer to EHLO").into()),
        }
    }

    /// A refused STARTTLS leaves the connection in clear. Whatever stalls or breaks once it was said is the fault of TLS, as far as
    /// can be told: of the host's, or of something between.
    async fn try_tls(&mut self, endpoint: &Endpoint, settings: &LinkSettings) -> Result<(), LinkError> {
        match self.start_tls(endpoint, settings).await {
            Err(LinkError::NoTls(_)) if self.is_open() => Ok(()),
            Err(error) if error.is_loss() => Err(LinkError::BrokenTls(Box::new(error))),
            other => other,
        }
    }

    async fn start_tls(&mut self, endpoint: &Endpoint, settings: &LinkSettings) -> Result<(), LinkError> {
        self.session.start_tls(&mut self.wire)?;
        match self.next_event().await? {
            Event::TlsGo => {}
            Event::TlsRefused(response) | Event::Closing(response) => return Err(LinkError::NoTls(response)),
            _ => return Err(ClientError::OutOfPlace("the answer to STARTTLS").into()),
        }
        self.handshake(endpoint, settings).await?;
        self.session.handle(Input::TlsUp, &mut self.wire)?;
        self.await_ready().await
    }

    async fn handshake(&mut self, endpoint: &Endpoint, settings: &LinkSettings) -> Result<(), LinkError> {
        let proved = matches!(endpoint.tls, Tls::Required | Tls::Implicit);
        let config = if proved { &settings.verified } else { &settings.opportunistic };
        let name = match (ServerName::try_from(endpoint.name.clone()), &endpoint.address) {
            (Ok(name), _) => name,
            (Err(_), Address::Tcp(address)) if !proved => ServerName::IpAddress(address.ip().into()),
            _ => return Err(LinkError::Name(endpoint.name.clone())),
        };
        let Stream::Tcp(tcp) = std::mem::replace(&mut self.stream, Stream::Nothing) else {
            return Err(LinkError::Gone);
        };
        let shaken =
            timeout(HANDSHAKE.min(self.reply), TlsConnector::from(Arc::clone(config)).connect(name, tcp)).await;
        let stream = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(LinkError::Handshake)?;
        self.protection = if proved { Protection::Proved(exporter(&stream)) } else { Protection::Unproved };
        self.stream = Stream::Tls(Box::new(stream));
        Ok(())
    }

    async fn try_deliver(&mut self, transaction: &Transaction, body: &Body) -> Result<Report, LinkError> {
        if let Some(report) = self.session.send(transaction, &mut self.wire)? {
            return Ok(report);
        }
        loop {
            match self.next_event().await? {
                Event::SendBody => self.send_body(body).await?,
                Event::Done(report) => return Ok(report),
                _ => return Err(ClientError::OutOfPlace("the answer within a transaction").into()),
            }
        }
    }

    async fn send_body(&mut self, body: &Body) -> Result<(), LinkError> {
        let mut dots = DotWriter::default();
        let mut chunks = body.chunks();
        while let Some(chunk) = chunks.next().await.map_err(LinkError::Body)? {
            for piece in chunk.chunks(WRITE_OCTETS) {
                dots.write(piece, &mut self.wire);
                if self.wire.len() >= WRITE_OCTETS {
                    self.flush().await?;
                }
            }
        }
        dots.finish(&mut self.wire);
        self.session.handle(Input::BodySent, &mut self.wire)?;
        Ok(())
    }

    /// Writes what is to be written, and reads until something happened.
    async fn next_event(&mut self) -> Result<Event, LinkError> {
        loop {
            if let Some(event) = self.session.poll(&mut self.wire)? {
                return Ok(event);
            }
            self.flush().await?;
            let (wait, what) = patience(self.session.wait(), self.reply);
            let mut octets = [0; READ_OCTETS];
            let read = timeout(wait, self.stream.io()?.read(&mut octets)).await;
            match read.map_err(|_| LinkError::TimedOut(what))?? {
                0 => return Err(LinkError::Gone),
                count => self.session.handle(Input::Bytes(&octets[..count]), &mut self.wire)?,
            }
        }
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        if self.wire.is_empty() {
            return Ok(());
        }
        let io = self.stream.io()?;
        let write = async {
            io.write_all(&self.wire).await?;
            io.flush().await
        };
        timeout(BLOCK.min(self.reply), write).await.map_err(|_| LinkError::TimedOut("the other side to read"))??;
        self.wire.clear();
        self.wire.shrink_to(READ_OCTETS * 2);
        Ok(())
    }
}

async fn open_socket(address: &Address) -> io::Result<Stream> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Stream::Tcp(stream))
        }
        Address::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
    }
}

/// How long a reply may take (RFC 5321 §4.5.3.2), but no longer than `reply`, and what it is called. Behind the end of the
/// message it is twice that: who gives up too soon sends the message a second time (§4.5.3.2.6).
fn patience(wait: Wait, reply: Duration) -> (Duration, &'static str) {
    let minutes = |count| Duration::from_mins(count).min(reply);
    match wait {
        Wait::Greeting => (minutes(5), "the greeting"),
        Wait::Nothing | Wait::Command => (minutes(5), "the reply to a command"),
        Wait::Data => (minutes(2), "the reply to DATA"),
        Wait::Block => (minutes(3), "the message to be taken"),
        Wait::End => (Duration::from_mins(10).min(reply * 2), "the reply to the message"),
    }
}

/// RFC 9266; only TLS 1.3 makes it unique without further conditions.
fn exporter(stream: &tokio_rustls::client::TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let (_, connection) = stream.get_ref();
    if connection.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_to_a_message_has_ten_minutes() {
        let secs = |wait, reply| patience(wait, Duration::from_secs(reply)).0.as_secs();
        assert_eq!((secs(Wait::End, 300), secs(Wait::Command, 300), secs(Wait::Data, 300)), (600, 300, 120));
        assert_eq!((secs(Wait::End, 30), secs(Wait::Command, 30), secs(Wait::End, 3_600)), (60, 30, 600));
    }
}
