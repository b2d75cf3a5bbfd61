//! A queued message's octets, in memory or in a file of their own.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;

use crate::checksum::Checksum;

const CHUNK_OCTETS: usize = 256 << 10;

/// The message as accepted, header and body. Cheap to clone; stays readable while it is held.
#[derive(Debug, Clone)]
pub struct Body {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Memory(Bytes),
    /// The head, and what stands behind it.
    File(Bytes, Arc<LargeFile>),
}

#[derive(Debug)]
pub(crate) struct LargeFile {
    pub(crate) file: File,
    pub(crate) octets: u64,
    pub(crate) sum: u64,
}

impl Body {
    /// A body that is in memory already; also for tests of what reads bodies.
    pub fn in_memory(octets: Bytes) -> Self {
        Self { kind: Kind::Memory(octets) }
    }

    pub(crate) fn in_file(head: Bytes, file: LargeFile) -> Self {
        Self { kind: Kind::File(head, Arc::new(file)) }
    }

    /// Length in octets.
    pub fn len(&self) -> u64 {
        match &self.kind {
            Kind::Memory(octets) => octets.len() as u64,
            Kind::File(head, file) => head.len() as u64 + file.octets,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, where it is in memory (every message of at most `inline_octets` is).
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Memory(octets) => Some(octets),
            Kind::File(..) => None,
        }
    }

    /// Reads it piece by piece without blocking the caller's thread.
    pub fn chunks(&self) -> Chunks {
        Chunks { reader: Some(self.reader()) }
    }

    /// Reads it on this thread, which may block. The end is an error (`InvalidData`) where what was read is not what
    /// was accepted: the reader must then not end the message regularly.
    pub fn reader(&self) -> BodyReader {
        BodyReader { body: self.clone(), offset: 0, sum: Checksum::new(0) }
    }
}

/// A blocking reader, from [`Body::reader`].
pub struct BodyReader {
    body: Body,
    offset: u64,
    sum: Checksum,
}

impl Read for BodyReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = match &self.body.kind {
            Kind::Memory(octets) => copy_from(octets, self.offset, out),
            Kind::File(head, _) if self.offset < head.len() as u64 => copy_from(head, self.offset, out),
            Kind::File(head, file) => file.read(self.offset - head.len() as u64, out, &mut self.sum)?,
        };
        self.offset += count as u64;
        Ok(count)
    }
}

/// As much as fits of what stands behind `offset`.
fn copy_from(octets: &[u8], offset: u64, out: &mut [u8]) -> usize {
    let rest = octets.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
    let count = rest.len().min(out.len());
    out[..count].copy_from_slice(&rest[..count]);
    count
}

impl LargeFile {
    /// Reads behind `offset`. `sum` is of all before it, and must be right at the end.
    fn read(&self, offset: u64, out: &mut [u8], sum: &mut Checksum) -> io::Result<usize> {
        let rest = self.octets - offset;
        let wanted = out.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut out[..wanted], offset)?;
        sum.update(&out[..count]);
        if count == 0 && wanted > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "queued message is shorter than accepted"));
        }
        if offset + count as u64 == self.octets && count > 0 && sum.finish() != self.sum {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "queued message is not as accepted"));
        }
        Ok(count)
    }
}

/// An asynchronous reader, from [`Body::chunks`].
pub struct Chunks {
    /// `None` after an error.
    reader: Option<BodyReader>,
}

impl Chunks {
    /// The next piece (at most 256 KiB from a file; all of it from memory), `None` at the end; errors as
    /// [`Body::reader`]. Not cancel-safe: a dropped call loses the reader, and the next one reports an error.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut reader = self.reader.take().ok_or_else(|| io::Error::other("the read before was given up"))?;
        if let Kind::Memory(octets) = &reader.body.kind {
            let whole = (reader.offset == 0 && !octets.is_empty()).then(|| octets.clone());
            reader.offset = octets.len() as u64;
            self.reader = Some(reader);
            return Ok(whole);
        }
        let read = tokio::task::spawn_blocking(move || {
            let rest = reader.body.len() - reader.offset;
            let mut chunk = vec![0; CHUNK_OCTETS.min(usize::try_from(rest).unwrap_or(CHUNK_OCTETS))];
            let mut count = 0;
            while count < chunk.len() {
                count += reader.read(&mut chunk[count..])?;
            }
            Ok::<_, io::Error>((reader, chunk))
        });
        let (reader, chunk) = read.await.map_err(io::Error::other)??;
        self.reader = Some(reader);
        Ok((!chunk.is_empty()).then(|| Bytes::from(chunk)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::checksum;
    use std::io::Write;

    fn large(octets: &[u8], sum: u64) -> Body {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        Body::in_file(Bytes::new(), LargeFile { file, octets: octets.len() as u64, sum })
    }

    async fn collect(body: &Body) -> io::Result<Vec<u8>> {
        let mut chunks = body.chunks();
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn both_kinds_read_the_same_both_ways() {
        let octets: Vec<u8> = (0..600_000u32).map(|n| (n % 251) as u8).collect();
        let parted = |at: usize| {
            let Kind::File(_, file) = large(&octets[at..], checksum(0, &octets[at..])).kind else { unreachable!() };
            Body { kind: Kind::File(octets[..at].to_vec().into(), file) }
        };
        let bodies = [Body::in_memory(octets.clone().into()), parted(0), parted(1), parted(300_000), parted(600_000)];
        for body in bodies {
            assert_eq!(body.len(), 600_000);
            assert_eq!(collect(&body).await.unwrap(), octets);
            let mut read = Vec::new();
            body.reader().read_to_end(&mut read).unwrap();
            assert_eq!(read, octets);
        }
        assert_eq!(collect(&Body::in_memory(Bytes::new())).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_rotten_or_short_file_does_not_end_regularly() {
        let rotten = large(b"rotten", checksum(0, b"Rotten"));
        assert_eq!(collect(&rotten).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"sho").unwrap();
        let short = Body::in_file(Bytes::new(), LargeFile { file, octets: 5, sum: checksum(0, b"short") });
        assert_eq!(collect(&short).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
