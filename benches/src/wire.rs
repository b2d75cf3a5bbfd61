//! One connection as the client sees it: send, then wait for a whole reply.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Why a session does not count.
#[derive(Debug)]
pub enum Bad {
    Io(io::Error),
    /// Another reply than the one that was due: the first line.
    Reply(String),
}

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Reply(line) => write!(f, "reply: {line}"),
        }
    }
}

/// A connection with what was read and not yet taken. The buffer is kept from session to session.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    taken: usize,
}

impl Wire {
    /// Connects from `source`; `buffer` is any old one.
    pub async fn connect(server: SocketAddr, source: Option<IpAddr>, mut buffer: Vec<u8>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(source) = source {
            // Without this, a port that lingers from an earlier session could not be taken again.
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(server).await?;
        stream.set_nodelay(true)?;
        buffer.clear();
        Ok(Self { stream, buffer, taken: 0 })
    }

    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    pub async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await
    }

    /// Sends a command and waits for its reply.
    pub async fn ask(&mut self, command: &[u8], digit_or_code: &str) -> Result<(), Bad> {
        self.send(command).await?;
        self.expect(digit_or_code).await
    }

    /// Takes one SMTP reply (all its lines) or one POP3 status line, which must begin so.
    pub async fn expect(&mut self, begin: &str) -> Result<(), Bad> {
        loop {
            let line = self.line().await?;
            let text = &self.buffer[line.0..line.1];
            if !text.starts_with(begin.as_bytes()) {
                return Err(Bad::Reply(String::from_utf8_lossy(text).trim_end().into()));
            }
            if text.get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }

    /// Takes everything up to and with the line that is only a dot. Returns how many octets.
    pub async fn body(&mut self) -> io::Result<usize> {
        const END: &[u8] = b"\r\n.\r\n";
        loop {
            let pending = &self.buffer[self.taken..];
            if pending.ends_with(END) {
                let octets = pending.len();
                self.taken = self.buffer.len();
                return Ok(octets);
            }
            self.fill().await?;
        }
    }

    /// The bounds of the next line.
    async fn line(&mut self) -> io::Result<(usize, usize)> {
        let mut from = self.taken;
        loop {
            if let Some(length) = self.buffer[from..].iter().position(|octet| *octet == b'\n') {
                let line = (self.taken, from + length + 1);
                self.taken = line.1;
                return Ok(line);
            }
            let read = self.buffer.len() - self.taken;
            self.fill().await?;
            from = self.taken + read;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the server"));
        }
        Ok(())
    }
}
