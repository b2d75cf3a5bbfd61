//! What was asked lately. The library's own cache cannot say whether an answer came from it, so this one stands above it.
//!
//! An answer is kept as long as its records may be (RFC 1035 §3.2.1), a denial as long as the zone says (RFC 2308 §5), both
//! a day at most. A failure is not kept: the next question asks again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use moka::Expiry;
use moka::sync::Cache;

/// Longest time that anything is remembered.
const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// Records that are remembered, a denial counting as one, a long text as several. Who asks us to look up many names can grow it
/// no further.
const RECORDS_MAX: u64 = 32_768;
/// So many octets of a text count as a record: one answer may have 64 KiB of them.
const TEXT_OCTETS: usize = 256;

/// Name and record type; names are compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) kind: RecordType,
}

/// Records of the type asked for; empty: there are none.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) records: Arc<[RData]>,
    pub(crate) until: Instant,
}

/// Bounded, by time to live.
pub(crate) struct Answers(Cache<Question, Known>);

impl Answers {
    pub(crate) fn new() -> Self {
        let weigh = |_: &Question, known: &Known| {
            let records = known.records.iter().map(weight).sum::<usize>();
            u32::try_from(records).unwrap_or(u32::MAX).max(1)
        };
        Self(Cache::builder().max_capacity(RECORDS_MAX).weigher(weigh).expire_after(ByTimeToLive).build())
    }

    pub(crate) fn get(&self, question: &Question) -> Option<Arc<[RData]>> {
        self.0.get(question).filter(|known| known.until > Instant::now()).map(|known| known.records)
    }

    pub(crate) fn remember(&self, question: Question, known: Known) {
        if known.until > Instant::now() {
            self.0.insert(question, known);
        }
    }
}

/// In records.
fn weight(data: &RData) -> usize {
    match data {
        RData::TXT(text) => 1 + text.txt_data.iter().map(|string| string.len()).sum::<usize>() / TEXT_OCTETS,
        _ => 1,
    }
}

struct ByTimeToLive;

impl Expiry<Question, Known> for ByTimeToLive {
    fn expire_after_create(&self, _: &Question, known: &Known, created_at: Instant) -> Option<Duration> {
        Some(known.until.saturating_duration_since(created_at).min(LIFETIME_MAX))
    }

    fn expire_after_update(&self, _: &Question, known: &Known, at: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(known.until.saturating_duration_since(at).min(LIFETIME_MAX))
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::{A, TXT};

    use super::*;

    #[test]
    fn a_long_text_is_no_single_record() {
        let text = |strings: usize| RData::TXT(TXT::new(vec!["x".repeat(255); strings]));
        let table = [(RData::A(A::new(192, 0, 2, 1)), 1), (text(0), 1), (text(1), 1), (text(4), 4), (text(255), 255)];
        for (data, expected) in table {
            assert_eq!(weight(&data), expected);
        }
    }
}
