//! A mail that is being received: in memory while small, its body in a file of its own when large.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::checksum::Checksum;
use crate::codec::{META_OCTETS_MAX, TEXT_OCTETS_MAX, check_envelope};
use crate::durable;
use crate::error::SpoolError;
use crate::record::{BodyIn, Content, MetaParts, put_meta};
use crate::shared::{Accept, Shared};
use crate::state::{MessageState, Recipients};
use crate::{AcceptError, Envelope, QueueId};

/// Longest head of a mail, in octets; far above what any server takes as a header.
const HEAD_OCTETS_MAX: usize = 1 << 20;

/// A chain's line is at most as long as a text here, with what the chain adds.
const LINE_MORE_OCTETS: usize = 1 << 10;

/// One mail on its way into the spool. Dropped before [`Incoming::commit`] is called, it leaves nothing.
///
/// Its octets are a head and a body, in this order and with nothing between them. The body comes in pieces and is let go of
/// as it comes; the head stays in memory and may be changed until the mail is committed, when all of the mail is here to be
/// judged. So the head is what may still change: the fields of the header.
pub struct Incoming {
    shared: Arc<Shared>,
    id: QueueId,
    head: Vec<u8>,
    body_octets: u64,
    pieces: Vec<Vec<u8>>,
    /// Nothing of the body is kept in memory.
    write_through: bool,
    /// Why it waits to be released once it is queued.
    hold: Option<Arc<str>>,
    /// What stands in the chain of those that are relayed.
    line: Option<String>,
    large: Option<Large>,
}

/// The file of a large mail; removed when dropped unless kept.
struct Large {
    path: PathBuf,
    file: File,
    sum: Checksum,
    keep: bool,
}

impl Drop for Large {
    fn drop(&mut self) {
        if !self.keep {
            // Otherwise the next start removes it: no record names it.
            let _ = durable::remove(&self.path);
        }
    }
}

impl Large {
    fn create(path: PathBuf) -> Result<Self, SpoolError> {
        let file = durable::new_file(&path)?;
        Ok(Self { path, file, sum: Checksum::new(0), keep: false })
    }

    fn append(&mut self, pieces: &[Vec<u8>]) -> Result<(), SpoolError> {
        for piece in pieces {
            self.sum.update(piece);
            self.file.write_all(piece).map_err(SpoolError::at(&self.path, "write"))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpoolError> {
        durable::finish_file(&self.file, &self.path)
    }
}

impl Incoming {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let id = QueueId(shared.ids.next());
        Self {
            shared,
            id,
            head: Vec::new(),
            body_octets: 0,
            pieces: Vec::new(),
            write_through: false,
            hold: None,
            line: None,
            large: None,
        }
    }

    /// The id it will have, for the `Received:` line.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// Octets given so far, head and body.
    pub fn octets(&self) -> u64 {
        self.head.len() as u64 + self.body_octets
    }

    /// What stands before the body, to be read and changed as long as the mail is not committed. Empty at first; at most
    /// 1 MiB, with the line ends that it shall have.
    pub fn head_mut(&mut self) -> &mut Vec<u8> {
        &mut self.head
    }

    /// From now on every piece of the body goes to the mail's own file at once, however small the mail: for want of memory.
    pub fn write_through(&mut self) {
        self.write_through = true;
    }

    /// Once queued the mail is held, as by [`Spool::hold`](crate::Spool::hold): no attempt is made before it is released.
    /// `reason`: a stable word that the operator is shown.
    pub fn hold(&mut self, reason: &str) {
        self.hold = Some(reason.into());
    }

    /// It is relayed: this line, an object in JSON, is in the chain ([`SpoolConfig::relayed`](crate::SpoolConfig::relayed)) once
    /// [`Incoming::commit`] returns, and is never lost after that. A spool without a chain keeps none.
    pub fn relayed(&mut self, line: String) {
        self.line = Some(line).filter(|_| self.shared.config.relayed.is_some());
    }

    /// Takes the next piece of the body. Touches the disk only when the mail grows beyond `inline_octets`, or must not be in memory.
    /// After an error the mail cannot be completed; drop it.
    pub async fn write(&mut self, piece: Vec<u8>) -> Result<(), AcceptError> {
        self.body_octets += piece.len() as u64;
        self.pieces.push(piece);
        if self.large.is_none() && !self.write_through && self.is_small() {
            return Ok(());
        }
        self.spill().await
    }

    /// Whether it goes whole into a record.
    fn is_small(&self) -> bool {
        self.octets() <= self.shared.config.inline_octets as u64
    }

    /// Writes the pieces at hand to the mail's own file.
    async fn spill(&mut self) -> Result<(), AcceptError> {
        let pieces = std::mem::take(&mut self.pieces);
        let more: usize = pieces.iter().map(Vec::len).sum();
        self.shared.make_room(more as u64).await?;
        let path = self.shared.body_path(self.id);
        let large = self.large.take();
        let large = on_disk(&self.shared, more, move || {
            let mut large = match large {
                Some(large) => large,
                None => Large::create(path)?,
            };
            large.append(&pieces)?;
            Ok(large)
        })
        .await?;
        self.large = Some(large);
        Ok(())
    }

    /// Takes the last piece of the body and makes the mail durable: when this returns `Ok`, the client may be told 250.
    ///
    /// Dropping the returned future leaves open whether the mail is queued.
    pub async fn commit(mut self, envelope: Envelope, last: Vec<u8>) -> Result<QueueId, AcceptError> {
        check_envelope(&envelope).map_err(AcceptError::Envelope)?;
        if self.head.len() > HEAD_OCTETS_MAX {
            return Err(AcceptError::Envelope("the head is longer than 1 MiB"));
        }
        self.body_octets += last.len() as u64;
        self.shared.make_room(self.octets()).await?;
        self.shared.space.take(self.octets())?;
        self.pieces.push(last);
        if self.large.is_some() || !self.is_small() {
            self.spill().await?;
        }
        let mut large = self.large.take();
        let body_in = match large.take() {
            None => BodyIn::Record,
            Some(mut file) => {
                file = on_disk(&self.shared, 0, move || file.finish().map(|()| file)).await?;
                let sum = file.sum.finish();
                large = Some(file);
                BodyIn::File { octets: self.body_octets, sum }
            }
        };
        // Of a large mail the pieces are in its file.
        self.pieces.insert(0, std::mem::take(&mut self.head));
        let octets = joined(std::mem::take(&mut self.pieces));
        let mail = NewMail { octets, body: body_in, hold: self.hold.take(), line: self.line.take() };
        let (accept, reply) = accept(self.id, envelope, mail)?;
        // From here on a record may name the file, whatever becomes of this future.
        if let Some(large) = &mut large {
            large.keep = true;
        }
        self.shared.post(|inbox| inbox.accept(accept));
        let result = reply.await.unwrap_or(Err(AcceptError::Closed));
        if result.is_err()
            && let Some(large) = &mut large
        {
            large.keep = false;
        }
        result
    }
}

pub(crate) type Reply = oneshot::Receiver<Result<QueueId, AcceptError>>;

/// What the writer is given of a mail besides its envelope.
pub(crate) struct NewMail {
    /// What stands in the record.
    pub(crate) octets: Bytes,
    pub(crate) body: BodyIn,
    pub(crate) hold: Option<Arc<str>>,
    pub(crate) line: Option<String>,
}

/// Makes a mail ready for the writer.
pub(crate) fn accept(id: QueueId, envelope: Envelope, mail: NewMail) -> Result<(Accept, Reply), AcceptError> {
    let NewMail { octets: body, body: body_in, hold, line } = mail;
    if line.as_ref().is_some_and(|line| line.len() > TEXT_OCTETS_MAX - LINE_MORE_OCTETS || line.contains('\n')) {
        return Err(AcceptError::Envelope("the line of the relay record is too long, or none"));
    }
    let mut meta = Vec::with_capacity(256);
    let arrived =
        hold.as_ref().map(|_| Recipients::arrived(envelope.recipients.len(), envelope.arrived_at_unix_micros));
    let state =
        arrived.as_ref().map(|recipients| MessageState { hold: hold.clone(), recipients: recipients.all().into() });
    let (state, line) = (state.as_ref(), line);
    put_meta(&mut meta, MetaParts { body: body_in, state, envelope: &envelope, line: line.as_deref() });
    if meta.len() > META_OCTETS_MAX {
        return Err(AcceptError::Envelope("envelope is too long"));
    }
    let content_sum = Content { meta: &meta, body: &body }.sum();
    let (sender, reply) = oneshot::channel();
    let envelope = Arc::new(envelope);
    Ok((Accept { id, envelope, meta, body, body_in, hold, line, content_sum, reply: sender }, reply))
}

/// One piece as it is, several copied into one.
fn joined(mut pieces: Vec<Vec<u8>>) -> Bytes {
    pieces.retain(|piece| !piece.is_empty());
    match pieces.len() {
        0 => Bytes::new(),
        // A buffer much larger than the mail would stay in memory with it.
        1 if pieces[0].capacity() <= pieces[0].len() * 2 => Bytes::from(pieces.swap_remove(0)),
        _ => Bytes::from(pieces.concat()),
    }
}

/// Does blocking work; a full disk is told from a broken one.
async fn on_disk<T: Send + 'static>(
    shared: &Shared,
    needed_octets: usize,
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, AcceptError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(shared.refusal(&error, needed_octets as u64)),
        Err(_) => Err(AcceptError::Closed),
    }
}

impl Shared {
    /// What a session is told when the disk failed.
    pub(crate) fn refusal(&self, error: &SpoolError, needed_octets: u64) -> AcceptError {
        if error.is_full() {
            return self.space.full(needed_octets);
        }
        AcceptError::Io { path: Path::new(&error.path).to_path_buf(), op: error.op, kind: error.source.kind() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_is_not_copied() {
        let piece = vec![7u8; 4096];
        let address = piece.as_ptr();
        assert_eq!(joined(vec![Vec::new(), piece]).as_ptr(), address);
        assert_eq!(joined(vec![vec![1], vec![2, 3]]), vec![1, 2, 3]);
        let mut roomy = Vec::with_capacity(10_000);
        roomy.push(1u8);
        assert_ne!(joined(vec![roomy.clone()]).as_ptr(), roomy.as_ptr());
        assert!(joined(Vec::new()).is_empty());
    }
}
