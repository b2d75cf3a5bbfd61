//! The stream of a backup: who reads the server's files writes into it, who keeps the backup reads from it. It is bounded, so that
//! the slower one is waited for; what breaks off is an error on the other side, never a shorter backup.

use std::io::{self, Read, Write};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

/// Octets handed over at once.
const CHUNK_OCTETS: usize = 128 << 10;
/// Chunks on their way.
const CHUNKS: usize = 4;

/// A piece of the stream, or why there is no more.
pub type Chunk = io::Result<Bytes>;

/// Two ends. Whether there is an end to it all is asked before each chunk.
pub fn pipe(ended: impl Fn() -> bool + Send + 'static) -> (Outlet, mpsc::Receiver<Chunk>) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    (Outlet { sender, buffer: Vec::with_capacity(CHUNK_OCTETS), ended: Box::new(ended) }, receiver)
}

/// Where it is written. Blocks.
pub struct Outlet {
    sender: mpsc::Sender<Chunk>,
    buffer: Vec<u8>,
    ended: Box<dyn Fn() -> bool + Send>,
}

impl Outlet {
    /// Tells the other side why there is no more.
    pub fn fail(self, error: impl std::fmt::Display) {
        // Nobody listens any more: there is nobody to be told.
        let _ = self.sender.blocking_send(Err(io::Error::other(error.to_string())));
    }

    fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if (self.ended)() {
            return Err(io::Error::other("the server is stopping"));
        }
        let chunk = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_OCTETS)));
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Outlet {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = octets.len().min(CHUNK_OCTETS - self.buffer.len());
        self.buffer.extend_from_slice(&octets[..taken]);
        if self.buffer.len() == CHUNK_OCTETS {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// Where it is read. Blocks.
pub struct Inlet {
    receiver: mpsc::Receiver<Chunk>,
    rest: Bytes,
}

impl Inlet {
    /// Of a receiver, whoever fills it.
    pub fn new(receiver: mpsc::Receiver<Chunk>) -> Self {
        Self { receiver, rest: Bytes::new() }
    }
}

impl Read for Inlet {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.rest = chunk?,
                None => return Ok(0),
            }
        }
        let octets = self.rest.len().min(into.len());
        self.rest.copy_to_slice(&mut into[..octets]);
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_failure_is_told() {
        let (mut outlet, receiver) = pipe(|| false);
        let sent: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
        let octets = sent.clone();
        let writer = std::thread::spawn(move || {
            outlet.write_all(&octets).unwrap();
            outlet.flush().unwrap();
            outlet.fail("the disk is gone");
        });
        let mut read = Vec::new();
        let error = Inlet::new(receiver).read_to_end(&mut read).unwrap_err();
        assert!(read == sent && error.to_string() == "the disk is gone");
        writer.join().unwrap();
        let (mut outlet, receiver) = pipe(|| false);
        drop(receiver);
        assert_eq!(outlet.write_all(&vec![0; CHUNK_OCTETS]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
