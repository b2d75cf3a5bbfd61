//! The record of MTA-STS (RFC 8461 §3.1); the file that it announces is somebody else's to read.

use super::tags::Tags;

/// Longest `id`.
pub const ID_OCTETS_MAX: usize = 32;

/// The `id` of a record; `None`: the record is not sound, and senders look at no file.
pub fn sts_id(record: &str) -> Option<&str> {
    let id = Tags::parse(record).ok()?.value("id")?;
    let sound = (1..=ID_OCTETS_MAX).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    sound.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_letters_and_digits() {
        let long = format!("v=STSv1; id={}", "7".repeat(ID_OCTETS_MAX + 1));
        for (record, id) in [
            ("v=STSv1; id=20261130T000000", Some("20261130T000000")),
            (&long[..long.len() - 1], Some("77777777777777777777777777777777")),
            (&long, None),
            ("v=STSv1; id=2026-11-30", None),
            ("v=STSv1; id=", None),
            ("v=STSv1;", None),
            ("v=STSv1; id=1; id=2", None),
        ] {
            assert_eq!(sts_id(record), id, "{record}");
        }
    }
}
