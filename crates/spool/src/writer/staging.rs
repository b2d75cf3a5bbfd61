//! Records gathered for one write.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};

use bytes::Bytes;

use crate::record::{Content, HEAD_OCTETS, Head, padded};

/// A body this short is cheaper to copy than to name.
const COPIED_OCTETS_MAX: usize = 1024;

/// Heads, metas and padding in one buffer, bodies where they are.
#[derive(Default)]
pub(super) struct Staging {
    buffer: Vec<u8>,
    /// Each body, after so much of the buffer.
    bodies: Vec<(usize, Bytes)>,
    octets: usize,
}

impl Staging {
    /// Length of what is gathered.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn is_empty(&self) -> bool {
        self.octets == 0
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.bodies.clear();
        self.octets = 0;
    }

    /// Appends a record for the segment of this number.
    pub(super) fn push(&mut self, segment: u64, head: &Head, content: Content<'_>) {
        let Content { meta, body } = content;
        self.buffer.extend_from_slice(&head.encode(segment));
        self.buffer.extend_from_slice(meta);
        if body.len() <= COPIED_OCTETS_MAX {
            self.buffer.extend_from_slice(body);
        } else {
            self.bodies.push((self.buffer.len(), body.clone()));
        }
        let octets = HEAD_OCTETS + meta.len() + body.len();
        let padding = padded(octets) - octets;
        self.buffer.extend_from_slice(&[0; 8][..padding]);
        self.octets += octets + padding;
    }

    /// Appends it all to the file.
    pub(super) fn write_to(&self, mut file: &File) -> io::Result<()> {
        let mut slices = Vec::with_capacity(self.bodies.len() * 2 + 1);
        let mut from = 0;
        for (upto, body) in &self.bodies {
            slices.push(IoSlice::new(&self.buffer[from..*upto]));
            slices.push(IoSlice::new(body));
            from = *upto;
        }
        slices.push(IoSlice::new(&self.buffer[from..]));
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Record};
    use std::io::{Read as _, Seek as _};

    #[test]
    fn what_is_written_is_what_was_pushed() {
        let mut staging = Staging::default();
        let bodies = [0, 5, COPIED_OCTETS_MAX, COPIED_OCTETS_MAX + 1, 70_000].map(|len| Bytes::from(vec![9u8; len]));
        for body in bodies.iter().cycle().take(3000) {
            let content = Content { meta: b"meta", body };
            let head = Head {
                kind: Kind::Message,
                meta_octets: 4,
                body_octets: u32::try_from(body.len()).unwrap(),
                id: 1,
                content_sum: content.sum(),
                synced_octets: 0,
            };
            staging.push(3, &head, content);
        }
        let mut file = tempfile::tempfile().unwrap();
        staging.write_to(&file).unwrap();
        file.rewind().unwrap();
        let mut octets = Vec::new();
        file.read_to_end(&mut octets).unwrap();
        assert_eq!(octets.len(), staging.octets());
        let (mut at, mut count) = (0, 0);
        while at < octets.len() {
            let record = Record::decode(&octets[at..], 3).unwrap();
            assert_eq!(record.meta, b"meta");
            at += record.head.record_octets();
            count += 1;
        }
        assert_eq!(count, 3000);
        staging.clear();
        assert!(staging.is_empty());
    }
}
