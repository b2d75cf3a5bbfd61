//! Questions and answers of DNS on the wire (RFC 1035 §4), as far as the name servers of tests need them; each of them has its own zone.
#![allow(unreachable_pub, reason = "tests of several crates are built with it")]

/// A question as it came.
pub struct Question {
    /// In lower case, without a dot at its end.
    pub name: String,
    /// Type of the records (RFC 1035 §3.2.2).
    pub kind: u16,
    id: [u8; 2],
    octets: Vec<u8>,
}

/// How long records and denials live.
#[derive(Clone, Copy)]
pub struct Lifetimes {
    /// Of a record, in seconds.
    pub record_secs: u32,
    /// Of a denial, in seconds; 0: it is not remembered.
    pub denial_secs: u32,
}

/// Reads the question of a query.
pub fn question(query: &[u8]) -> Question {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).to_ascii_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    Question { name: labels.join("."), kind, id: [query[0], query[1]], octets: query[12..at + 5].to_vec() }
}

/// The answer with these records, made by [`record`]; without any it is a denial, unless the code says that the server failed.
pub fn answer(question: &Question, code: u8, records: &[Vec<u8>], lifetimes: Lifetimes) -> Vec<u8> {
    let denials = u8::from(records.is_empty() && code != 2);
    let mut answer = question.id.to_vec();
    let count = u8::try_from(records.len()).unwrap();
    answer.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, count, 0, denials, 0, 0]);
    answer.extend_from_slice(&question.octets);
    answer.extend(records.iter().flatten());
    if denials > 0 {
        let times = [1, 600, 600, 600, lifetimes.denial_secs].map(u32::to_be_bytes).concat();
        let data = [encoded("ns.example"), encoded("postmaster.example"), times].concat();
        answer.extend(record(&question.name, 6, &data, Lifetimes { record_secs: lifetimes.denial_secs, ..lifetimes }));
    }
    answer
}

/// One record.
pub fn record(owner: &str, kind: u16, data: &[u8], lifetimes: Lifetimes) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    let head = [kind.to_be_bytes(), [0, 1]].concat();
    [&encoded(owner)[..], &head, &lifetimes.record_secs.to_be_bytes(), &length, data].concat()
}

/// A name.
pub fn encoded(host: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for label in host.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        data.push(u8::try_from(label.len()).unwrap());
        data.extend_from_slice(label);
    }
    data.push(0);
    data
}
