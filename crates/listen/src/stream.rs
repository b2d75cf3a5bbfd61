//! A connection's bytes, in clear or under TLS, read without a buffer that an idle connection would keep.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What one read takes at most, in octets. The space is on the stack while bytes are there, so 50,000 idle connections own none.
const READ_OCTETS: usize = 16 * 1024;

/// What is known about a TLS connection.
#[derive(Clone)]
pub struct TlsFacts {
    /// `TLSv1.3`.
    pub version: String,
    /// The cipher suite's name.
    pub cipher: String,
    /// Keying material `tls-exporter` for SCRAM's channel binding (RFC 9266).
    pub exporter: Option<[u8; 32]>,
}

/// Without the keying material.
impl fmt::Debug for TlsFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, cipher, exporter: _ } = self;
        f.debug_struct("TlsFacts").field("version", version).field("cipher", cipher).finish_non_exhaustive()
    }
}

/// A client's connection.
#[derive(Debug)]
pub enum Stream {
    /// As it came.
    Plain(TcpStream),
    /// Under TLS; boxed, since most connections to port 25 never get here.
    Tls(Box<TlsStream<TcpStream>>),
    /// Given away, or lost in a failed handshake: at its end for whoever reads, broken for whoever writes.
    Closed,
}

impl Stream {
    /// Waits for bytes and hands them to `take` at once; `None` when the peer has closed its side.
    ///
    /// Cancel-safe: bytes are taken in the very poll that read them.
    pub async fn read_with<T>(&mut self, mut take: impl FnMut(&[u8]) -> T) -> io::Result<Option<T>> {
        poll_fn(|cx| self.poll_read_with(cx, &mut take)).await
    }

    /// The same, as a step of a wait for more than bytes.
    pub(crate) fn poll_read_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut impl FnMut(&[u8]) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        let mut space = [MaybeUninit::<u8>::uninit(); READ_OCTETS];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(self).poll_read(cx, &mut buffer))?;
        let filled = buffer.filled();
        Poll::Ready(Ok((!filled.is_empty()).then(|| take(filled))))
    }

    /// Writes as much of `bytes` as needs no waiting, nearly always all, and says how much that was.
    pub fn try_send(&self, bytes: &[u8]) -> usize {
        match self {
            // An error shows again in the `send` of the rest.
            Self::Plain(tcp) => tcp.try_write(bytes).unwrap_or(0),
            Self::Tls(_) | Self::Closed => 0,
        }
    }

    /// Writes all of `bytes` and sees them off.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }

    /// Makes the TLS handshake. A connection already under TLS is an error.
    pub async fn start_tls(self, config: Arc<ServerConfig>) -> io::Result<(Self, TlsFacts)> {
        let Self::Plain(tcp) = self else { return Err(io::Error::other("TLS is up already")) };
        let handshake = TlsAcceptor::from(config).accept(tcp).await;
        let tls = handshake.inspect_err(|_| keep::tally::COUNTED.tls_failed.one()).map_err(told)?;
        let facts = tls_facts(&tls);
        Ok((Self::Tls(Box::new(tls)), facts))
    }

    /// Says the end (TLS: close_notify) as far as it can be said without waiting long.
    pub async fn finish(mut self) {
        // The peer may be gone already; there is nobody left to tell.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), self.shutdown()).await;
    }
}

/// The client knows no protocol version, cipher or signature that is taken: it was made before TLS 1.2, or set up so.
#[derive(Debug, thiserror::Error)]
#[error("the client's TLS is too old: {0:?}")]
pub struct TlsTooOld(rustls::PeerIncompatible);

/// What went wrong in a handshake, in words for who looks after the client.
fn told(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::PeerIncompatible(why)) => {
            let why = TlsTooOld(why.clone());
            io::Error::new(io::ErrorKind::InvalidData, why)
        }
        _ => error,
    }
}

/// Why a connection ended, in one line of the log: the kind of the error, but for what somebody can do something about.
pub fn cause(error: &io::Error) -> String {
    let too_old = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsTooOld>());
    too_old.map_or_else(|| error.kind().to_string(), ToString::to_string)
}

/// RFC 9266: the `tls-exporter` channel binding, 32 octets with this label and an empty context.
fn tls_facts(tls: &TlsStream<TcpStream>) -> TlsFacts {
    let (_, connection) = tls.get_ref();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let cipher = connection.negotiated_cipher_suite().map_or(String::new(), |suite| format!("{:?}", suite.suite()));
    let exporter = connection.export_keying_material([0u8; 32], b"EXPORTER-Channel-Binding", Some(&[])).ok();
    TlsFacts { version: version.to_owned(), cipher, exporter }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TlsFacts;

    #[test]
    fn keying_material_is_not_printed() {
        let facts = TlsFacts { version: "v".into(), cipher: "c".into(), exporter: Some([115; 32]) };
        assert_eq!(format!("{facts:?}"), "TlsFacts { version: \"v\", cipher: \"c\", .. }");
    }
}
