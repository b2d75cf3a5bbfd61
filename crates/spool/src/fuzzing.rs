//! Ways in for the fuzz targets of `fuzz/`; nothing else needs them.

/// Walks octets as a segment and reads every record; returns how many there were.
#[doc(hidden)]
pub fn walk_segment(octets: &[u8], number: u64) -> usize {
    let mut records = 0;
    let _ = crate::record::Header::decode(octets);
    crate::scan::scan(octets, number, |_, record| {
        records += 1;
        let _ = crate::record::read_meta(record.meta);
        let _ = crate::record::read_status(record.meta);
    });
    records
}

/// Reads octets as the meta of a message; where that works, it must survive being written again.
#[doc(hidden)]
pub fn meta_to_octets_and_back(octets: &[u8]) -> bool {
    let Ok(meta) = crate::record::read_meta(octets) else { return true };
    let mut out = Vec::new();
    let (state, line) = (meta.state.as_ref(), meta.line.as_deref());
    let parts = crate::record::MetaParts { body: meta.body, state, envelope: &meta.envelope, line };
    crate::record::put_meta(&mut out, parts);
    let again = crate::record::read_meta(&out);
    // A reason is cut when it is written, so only a second round must be the same to the octet.
    again.is_ok_and(|again| again.envelope == meta.envelope && again.body == meta.body)
}
