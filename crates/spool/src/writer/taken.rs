//! Messages that the writer took: what they become in the index and in the chain, and who is told.

use crate::entry::{Entry, Fresh, OriginKey};
use crate::record::BodyIn;
use crate::relayed::Place;
use crate::segment::Position;
use crate::shared::{Accept, Barrier};
use crate::state::Recipients;
use crate::{AcceptError, QueueId};

/// What of the messages stands in the chain of those that are relayed, with the places of their records.
pub(super) fn lines_of(segment: u64, accepts: &[(Accept, u32, u32)]) -> Vec<(Place, &str)> {
    let place = |offset: u32| Place { segment, offset: u64::from(offset) };
    accepts.iter().filter_map(|(accept, offset, _)| Some((place(*offset), accept.line.as_deref()?))).collect()
}

pub(super) fn answer(barriers: Vec<Barrier>, result: &Result<(), AcceptError>) {
    for barrier in barriers {
        let _ = barrier.send(result.clone());
    }
}

pub(super) type Answer = (QueueId, tokio::sync::oneshot::Sender<Result<QueueId, AcceptError>>);

pub(super) fn entry_of(accept: Accept, position: Position, born: i64) -> (Entry, Answer) {
    let Accept { id, envelope, body, body_in, hold, reply, .. } = accept;
    let entry = Entry {
        position,
        body: body_in,
        arrived: envelope.arrived_at_unix_micros,
        message_octets: envelope.message_octets,
        born,
        origin: OriginKey::of(&envelope.origin),
        recipients: Recipients::arrived(envelope.recipients.len(), envelope.arrived_at_unix_micros),
        lease: None,
        fresh: matches!(body_in, BodyIn::Record).then(|| Box::new(Fresh { envelope, body })),
        scheduled: None,
        hold,
        dirty: false,
        returned: 0,
    };
    (entry, (id, reply))
}
