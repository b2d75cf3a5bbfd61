//! One connection as a session's driver uses it: octets in, replies out, one timer, the server's end.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Sleep;

use super::cut::Said;
use super::{Cut, Stream, TlsFacts};

/// How long a client may take for a TLS handshake.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(30);
/// How long a client that was cut may take to find it out, and how much it may say until then, in octets.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(30);
const LAST_WORDS_OCTETS: usize = 64 * 1024;
/// How long a client may leave our replies unread.
const REPLY_WAIT: Duration = Duration::from_mins(2);

/// A connection with its timer and what is still to be sent.
pub struct Wire {
    stream: Stream,
    /// One for the connection's life; set anew only when it went off or the deadline came nearer.
    timer: Pin<Box<Sleep>>,
    unsent: Vec<u8>,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Octets came and were taken.
    Octets,
    /// The deadline passed.
    Due,
    /// The server is to stop.
    Stop,
    /// This connection is to end.
    Cut,
    /// Nothing that matters; wait again.
    Nothing,
}

impl Wire {
    /// A connection that has just come in.
    pub fn new(stream: Stream) -> Self {
        let timer = Box::pin(tokio::time::sleep(HANDSHAKE_WAIT));
        Self { stream, timer, unsent: Vec::new() }
    }

    /// Where replies are put; [`Self::flush`] sends them.
    pub fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Sends what is unsent and gives its memory back.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        let written = self.stream.try_send(&unsent);
        if written == unsent.len() {
            return Ok(());
        }
        // Boxed: seldom needed, and an idle connection must not keep room for it.
        let sent = Box::pin(tokio::time::timeout(REPLY_WAIT, self.stream.send(&unsent[written..]))).await;
        sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Makes the TLS handshake.
    pub async fn start_tls(&mut self, config: Option<Arc<ServerConfig>>) -> io::Result<TlsFacts> {
        let config = config.ok_or_else(|| io::Error::other("TLS was offered without a certificate"))?;
        let stream = std::mem::replace(&mut self.stream, Stream::Closed);
        let handshake = Box::pin(tokio::time::timeout(HANDSHAKE_WAIT, stream.start_tls(config))).await;
        let (stream, facts) = handshake.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        self.stream = stream;
        Ok(facts)
    }

    /// Waits for octets, which `take` gets at once, for the deadline, or for what `cut` says of the end of this connection or of
    /// the server.
    pub async fn listen(
        &mut self,
        deadline: Option<Instant>,
        cut: &Cut,
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<Heard> {
        if let Some(at) = deadline.map(tokio::time::Instant::from_std)
            && (at < self.timer.deadline() || self.timer.is_elapsed())
        {
            self.timer.as_mut().reset(at);
        }
        poll_fn(|cx| {
            if let Poll::Ready(said) = cut.poll_heard(cx) {
                return Poll::Ready(Ok(match said {
                    Said::Cut => Heard::Cut,
                    Said::Stop => Heard::Stop,
                }));
            }
            if let Poll::Ready(read) = self.stream.poll_read_with(cx, &mut take) {
                return Poll::Ready(match read? {
                    Some(()) => Ok(Heard::Octets),
                    None => Err(io::ErrorKind::UnexpectedEof.into()),
                });
            }
            ready!(self.timer.as_mut().poll(cx));
            // The timer may have been set for an earlier deadline, which moved on since.
            Poll::Ready(Ok(if deadline.is_some_and(|at| at <= Instant::now()) { Heard::Due } else { Heard::Nothing }))
        })
        .await
    }

    /// Closes.
    pub async fn finish(self) {
        self.stream.finish().await;
    }

    /// Says that nothing more comes, and lets the peer find it out: it was cut while it was silent, and what it says next would
    /// otherwise be answered by a reset that takes our last words with it.
    pub async fn finish_unasked(mut self) {
        let _ = tokio::time::timeout(LAST_WORDS_WAIT, self.last_words()).await;
    }

    async fn last_words(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut octets = 0;
        while let Some(more) = self.stream.read_with(<[u8]>::len).await? {
            octets += more;
            if octets > LAST_WORDS_OCTETS {
                break;
            }
        }
        Ok(())
    }
}
