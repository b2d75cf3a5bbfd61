//! A connection of another mail server, over TCP or a Unix socket.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// What one read takes at most, in octets.
const READ_OCTETS: usize = 16 * 1024;
/// How long a mail server may leave our answers unread.
const ANSWER_WAIT: Duration = Duration::from_mins(2);

/// The connection.
#[derive(Debug)]
pub enum Link {
    /// From somewhere on the network, nearly always this host.
    Tcp(TcpStream),
    /// From this host.
    Unix(UnixStream),
}

impl Link {
    /// Waits for octets at most `wait` long and hands them to `take` at once; `None` when the peer has closed its side.
    /// [`io::ErrorKind::TimedOut`]: none came.
    ///
    /// Cancel-safe: octets are taken in the very poll that read them.
    pub async fn read_with(&mut self, wait: Duration, mut take: impl FnMut(&[u8])) -> io::Result<Option<()>> {
        let read = poll_fn(|cx| {
            let mut space = [MaybeUninit::<u8>::uninit(); READ_OCTETS];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut *self).poll_read(cx, &mut buffer))?;
            let filled = buffer.filled();
            Poll::Ready(Ok((!filled.is_empty()).then(|| take(filled))))
        });
        tokio::time::timeout(wait, read).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Writes all of `octets`, and empties it.
    pub async fn send(&mut self, octets: &mut Vec<u8>) -> io::Result<()> {
        if octets.is_empty() {
            return Ok(());
        }
        let sent = tokio::time::timeout(ANSWER_WAIT, self.write_all(octets)).await;
        sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        octets.clear();
        Ok(())
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Unix(unix) => Pin::new(unix).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Unix(unix) => Pin::new(unix).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Unix(unix) => Pin::new(unix).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
        }
    }
}
