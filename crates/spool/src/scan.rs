//! Walks the octets of a segment, whatever state they are in. Pure; never panics.

use crate::QueueId;
use crate::record::{HEAD_OCTETS, HEADER_OCTETS, Head, Record};

/// A stretch that holds no readable record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) offset: usize,
    pub(crate) octets: usize,
    /// The message whose content is damaged, where its head is readable.
    pub(crate) id: Option<QueueId>,
}

/// What a walk found beside the records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Between records.
    pub(crate) gaps: Vec<Gap>,
    /// End of the last record.
    pub(crate) end: usize,
    /// As far as records tell, this much had been synced.
    pub(crate) synced_octets: u64,
    /// The highest id seen.
    pub(crate) highest_id: u64,
    /// Behind `end`: a torn write, room not used yet, or damage.
    pub(crate) tail: Vec<Gap>,
}

/// Calls `take` for each whole record with its offset, in order.
pub(crate) fn scan(octets: &[u8], number: u64, mut take: impl FnMut(usize, Record<'_>)) -> Outline {
    let mut outline = Outline { end: HEADER_OCTETS, ..Outline::default() };
    let mut at = HEADER_OCTETS;
    let mut pending: Vec<Gap> = Vec::new();
    while at + HEAD_OCTETS <= octets.len() {
        let Some(head) = Head::decode(&octets[at..], number) else {
            let next = next_head(octets, number, at + 8);
            pending.push(Gap { offset: at, octets: next - at, id: None });
            at = next;
            continue;
        };
        let end = at.saturating_add(head.record_octets());
        outline.highest_id = outline.highest_id.max(head.id);
        if let Some(record) = Record::decode(&octets[at..], number) {
            outline.gaps.append(&mut pending);
            outline.end = end.min(octets.len());
            outline.synced_octets = outline.synced_octets.max(head.synced_octets);
            take(at, record);
            at = end;
        } else {
            let next = if end <= octets.len() { end } else { next_head(octets, number, at + 8) };
            let id = (head.id != 0).then_some(QueueId(head.id));
            pending.push(Gap { offset: at, octets: next - at, id });
            at = next;
        }
    }
    outline.tail = pending;
    outline
}

/// Offset of the next record head at or behind `from`, or the end.
fn next_head(octets: &[u8], number: u64, from: usize) -> usize {
    (from..octets.len())
        .step_by(8)
        .find(|at| octets[*at] != 0 && Head::decode(&octets[*at..], number).is_some())
        .unwrap_or(octets.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Header, Kind, small_head};
    use proptest::prelude::*;

    const NUMBER: u64 = 42;

    fn segment(metas: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let mut octets = Header { number: NUMBER, previous: (0, 0) }.encode().to_vec();
        let mut offsets = Vec::new();
        for (id, meta) in metas.iter().enumerate() {
            offsets.push(octets.len());
            let mut head = small_head(Kind::Done, meta, octets.len() as u64).unwrap();
            head.id = id as u64 + 1;
            octets.extend_from_slice(&head.encode(NUMBER));
            octets.extend_from_slice(meta);
            octets.resize(octets.len().next_multiple_of(8), 0);
        }
        (octets, offsets)
    }

    fn ids(octets: &[u8]) -> (Vec<u64>, Outline) {
        let mut ids = Vec::new();
        let outline = scan(octets, NUMBER, |_, record| ids.push(record.head.id));
        (ids, outline)
    }

    #[test]
    fn every_torn_end_keeps_the_records_before_it() {
        let (octets, offsets) = segment(&[vec![1; 10], vec![2; 50], vec![3; 7]]);
        for cut in HEADER_OCTETS..octets.len() {
            let (ids, outline) = ids(&octets[..cut]);
            // The last one's padding is not needed.
            let whole = offsets[1..].iter().filter(|end| **end - 6 <= cut).count();
            assert!(ids.len() >= whole.saturating_sub(1) && ids.len() <= whole + 1, "{cut}: {ids:?}");
            assert!(outline.gaps.is_empty(), "{cut}: a torn end is no gap");
        }
    }

    #[test]
    fn damage_in_the_middle_is_a_gap_and_the_rest_is_kept() {
        let (octets, offsets) = segment(&[vec![1; 10], vec![2; 50], vec![3; 7]]);
        for damaged in offsets[1]..offsets[2] - 6 {
            let mut octets = octets.clone();
            octets[damaged] ^= 0xFF;
            let (ids, outline) = ids(&octets);
            assert_eq!(ids, [1, 3], "octet {damaged}");
            assert_eq!(outline.gaps.len(), 1);
            assert_eq!(outline.gaps[0].offset, offsets[1]);
            assert!(outline.synced_octets > offsets[1] as u64, "it was acknowledged");
            assert_eq!(outline.gaps[0].id.is_some(), damaged >= offsets[1] + HEAD_OCTETS);
        }
    }

    #[test]
    fn what_a_recycled_file_held_before_is_not_taken() {
        let (mut octets, _) = segment(&[vec![1; 10]]);
        let (old, _) = segment(&[vec![1; 10], vec![2; 10]]);
        octets.extend_from_slice(&old[octets.len()..]);
        let mut found = 0;
        scan(&octets, NUMBER + 1, |_, _| found += 1);
        assert_eq!(found, 0);
    }

    proptest! {
        #[test]
        fn any_octets_are_walked_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..500)) {
            scan(&octets, NUMBER, |_, _| ());
        }

        #[test]
        fn one_flipped_bit_costs_at_most_one_record(metas in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..8), at in any::<proptest::sample::Index>(), bit in 0u8..8) {
            let (mut octets, _) = segment(&metas);
            let at = at.index(octets.len());
            octets[at] ^= 1 << bit;
            let (ids, _) = ids(&octets);
            prop_assert!(ids.len() + 1 >= metas.len());
        }
    }
}
